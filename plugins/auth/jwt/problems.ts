import type { Problem } from '../../config/errors.ts'
import { isSafeUrl } from './discovery.ts'
import type { IssuerOptions, JwtOptions } from './options.ts'

/** Bytes that a shared secret needs: as many as the hash has (RFC 7518, 3.2). */
const SECRET_BYTES: Readonly<Record<string, number>> = { HS256: 32, HS384: 48, HS512: 64 }

/** What needs files and keys to be looked at. */
export interface Inspect {
  /** What is wrong with a public key, with its remedy, or undefined. */
  publicKey(from: string | readonly string[], algorithms: IssuerOptions['algorithms']): string | undefined
  /** What is wrong with PEM text or the path of a PEM file. */
  pem(value: string): string | undefined
}

function secretProblem({ secret = '', algorithms = ['HS256'] }: IssuerOptions): string | undefined {
  const needed = Math.max(...algorithms.map((one) => SECRET_BYTES[one] ?? 0))
  const bytes = Buffer.byteLength(secret)
  if (secret.includes('-----BEGIN') || /"kty"\s*:/.test(secret)) {
    return 'is a key, and a public one is no secret; give it as `publicKey`'
  }
  return bytes < needed
    ? `has ${bytes} bytes, and ${needed} are needed; make one with \`openssl rand -base64 ${needed}\``
    : undefined
}

function sourceProblems(issuer: IssuerOptions, at: (key: string) => string): Problem[] {
  const { jwksUri, publicKey, secret, ca, algorithms } = issuer
  const given = Object.entries({ jwksUri, publicKey, secret }).filter(([, value]) => value !== undefined)
  const names = given.map(([name]) => name)
  if (given.length > 1) {
    const message = `stands beside \`${names[0]}\`; an issuer has its keys from one place only, so take one out`
    return [{ path: at(names[1] as string), message }]
  }
  const problems: Problem[] = []
  const say = (key: string, message: string | undefined): void => {
    if (message !== undefined) problems.push({ path: at(key), message })
  }
  const shared = algorithms?.filter((one) => one.startsWith('HS')).length ?? 0
  if (secret === undefined && shared > 0) {
    say('algorithms', 'HS256, HS384 and HS512 need a `secret`; take them out, or set it')
  }
  if (secret !== undefined && algorithms !== undefined && shared < algorithms.length) {
    say('algorithms', 'a `secret` goes with HS256, HS384 and HS512 only; take the others out')
  }
  if (secret !== undefined) say('secret', secretProblem(issuer))
  if (jwksUri !== undefined && !isSafeUrl(jwksUri)) {
    say('jwksUri', 'is no https address; write one like "https://id.example.com/jwks"')
  }
  if (given.length === 0 && !isSafeUrl(issuer.issuer)) {
    say(
      'issuer',
      'is no https address, so its keys cannot be discovered; set `jwksUri`, `publicKey` or `secret`',
    )
  }
  if (ca !== undefined && (secret ?? publicKey) !== undefined)
    say('ca', 'has nothing to be used for; take it out')
  return problems
}

function issuerProblems(issuer: IssuerOptions, at: (key: string) => string, inspect: Inspect): Problem[] {
  const problems = sourceProblems(issuer, at)
  const { publicKey, algorithms, ca, refresh, keepKeysFor } = issuer
  const key = publicKey === undefined ? undefined : inspect.publicKey(publicKey, algorithms)
  if (key !== undefined) problems.push({ path: at('publicKey'), message: key })
  const authority = ca === undefined ? undefined : inspect.pem(ca)
  if (authority !== undefined) problems.push({ path: at('ca'), message: authority })
  if (keepKeysFor < 2 * refresh) {
    const message = 'is less than two times `refresh`: one failed fetch would use it up; make it longer'
    problems.push({ path: at('keepKeysFor'), message })
  }
  return problems
}

/**
 * What the schema cannot say of `auth.jwt`.
 * @param redis whether the config has one
 */
export function jwtProblems(
  { issuers, from, revocations }: JwtOptions,
  inspect: Inspect,
  redis: boolean,
): Problem[] {
  const problems = issuers.flatMap((issuer, i) => {
    const at = (key: string): string => `auth.jwt.issuers[${i}].${key}`
    const twice = issuers.findIndex((other) => other.issuer === issuer.issuer) < i
    return [
      ...issuerProblems(issuer, at, inspect),
      ...(twice
        ? [{ path: at('issuer'), message: 'stands there twice; put what differs into one entry' }]
        : []),
    ]
  })
  if (from.header === 'authorization') {
    const message = 'is where tokens are looked for anyway, after "Bearer"; take it out'
    problems.push({ path: 'auth.jwt.from.header', message })
  }
  if (revocations.store === 'redis' && !redis) {
    const message =
      'there is no Redis; add `redis: { url: process.env.REDIS_URL }` to the config, or take "local"'
    problems.push({ path: 'auth.jwt.revocations.store', message })
  }
  return problems
}
