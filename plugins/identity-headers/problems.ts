import type { GatewayConfig } from '../config/define.ts'
import type { Problem } from '../config/errors.ts'
import { written } from '../config/messages.ts'
import { conflated } from '../config/own-headers.ts'
import { hashBits, keyProblem } from './sign.ts'
import { OWN_CLAIMS, toldAs } from './token.ts'

/** Headers that mean something else, or that the gateway says already. */
const TAKEN =
  /^(?:accept.*|authorization|cache-control|client-cert(?:-chain)?|connection|content-.*|cookie|date|expect|forwarded|host|http2-settings|if-.*|keep-alive|origin|proxy-.*|range|signature(?:-input)?|te|trailer|transfer-encoding|upgrade|via|x-forwarded-.*|x-original-url|x-real-ip|x-request-id|x-rewrite-url)$/

/** As much as is needed of the kinds of credential, which may have been taken out. */
interface Credentials {
  readonly auth?: {
    readonly 'api-key'?: { readonly header: string }
    readonly jwt?: { readonly from: { readonly header?: string }; readonly issuers: readonly unknown[] }
  }
}

/** Headers that clients bring their credentials in: taken out as if they were forged, nobody could come in. */
function credentialHeaders({ auth }: Credentials): ReadonlySet<string> {
  const headers = [auth?.['api-key']?.header, auth?.jwt?.from.header]
  return new Set(headers.flatMap((header) => (header === undefined ? [] : [conflated(header)])))
}

/** Names of the token's claims that are taken, by the gateway or by another claim. */
function claimProblems(claims: readonly string[], say: (message: string, index: number) => void): void {
  const paths = new Map<string, string>()
  for (const [index, path] of claims.entries()) {
    const name = toldAs(path)
    const other = paths.get(name)
    if (OWN_CLAIMS.has(name))
      say(`would be told as "${name}", which the token says already; tell it in a header instead`, index)
    else if (other !== undefined)
      say(`would be told as "${name}", like "${other}"; tell one of them in a header instead`, index)
    paths.set(name, path)
  }
}

/** By one of these it can be told which issuer's caller it is. */
const OF_ISSUER: ReadonlySet<string> = new Set(['id', 'claims.iss'])

/** What a schema cannot say of `identityHeaders`. */
export function identityHeaderProblems(config: GatewayConfig): Problem[] {
  const { identityHeaders, routes } = config
  if (identityHeaders === undefined) return []
  const credentials = credentialHeaders(config as Credentials)
  const problems: Problem[] = []
  const say = (message: string, ...steps: (string | number)[]): void => {
    problems.push({ path: written('identityHeaders', ...steps), message })
  }
  const { headers, jwt } = identityHeaders
  const own = new Set<string>()
  const take = (name: string, ...steps: string[]): void => {
    if (!/^[a-z0-9-]+$/.test(name)) say('is no good name; write lower-case letters, digits and "-"', ...steps)
    else if (TAKEN.test(name)) say('means something else already; take a name of your own', ...steps)
    else if (credentials.has(name))
      say('is the header that credentials are brought in (`auth`); take a name of your own', ...steps)
    else if (own.has(name)) say('is told twice; take another name', ...steps)
    own.add(name)
  }
  for (const name of Object.keys(headers)) take(name, 'headers', name)
  const sources = Object.values(headers)
  const issuers = (config as Credentials).auth?.jwt?.issuers.length ?? 0
  if (issuers > 1 && sources.includes('name') && !sources.some((source) => OF_ISSUER.has(source)))
    say(
      `tells names of ${issuers} issuers, each of which may have one of that name; tell "claims.iss" or "id" too`,
      'headers',
    )
  if (jwt !== undefined) {
    claimProblems(jwt.claims, (message, index) => say(message, 'jwt', 'claims', index))
    take(jwt.header, 'jwt', 'header')
    const { secret, privateKey } = jwt
    const algorithm = jwt.algorithm ?? (secret === undefined ? 'RS256' : 'HS256')
    if ((secret === undefined) === (privateKey === undefined))
      say('needs one of `secret` and `privateKey`, from the environment', 'jwt')
    else if (algorithm.startsWith('HS') !== (secret !== undefined))
      say(`does not go with \`${secret === undefined ? 'privateKey' : 'secret'}\``, 'jwt', 'algorithm')
    else if (privateKey !== undefined) {
      const message = keyProblem(privateKey, algorithm)
      if (message !== undefined) say(message, 'jwt', 'privateKey')
    } else if (Buffer.byteLength(secret as string) * 8 < hashBits(algorithm))
      say(
        `is shorter than ${hashBits(algorithm) / 8} bytes (RFC 7518, 3.2); take a longer one`,
        'jwt',
        'secret',
      )
  }
  for (const [index, route] of routes.entries()) {
    for (const name of Object.keys(route.headers ?? {})) {
      if (!own.has(conflated(name))) continue
      const message =
        'is said by the gateway itself, after routing: here it would be what a client says; match on another'
      problems.push({ path: written('routes', index, 'headers', name), message })
    }
  }
  return problems
}
