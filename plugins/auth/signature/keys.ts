import { dateMs } from '../../config/dates.ts'
import type { Problem } from '../../config/errors.ts'
import { written } from '../../config/messages.ts'
import type { Identity } from '../../upstreams/identity.ts'
import { type Consumers, consumerIdentity } from '../consumers.ts'

type SigningKeyConfig = Consumers[string]['signingKeys'][number]

/** Whether `signature` is this key's of `text`. Made once for each key, with the algorithm that it is for. */
export type Verify = (text: string, signature: Buffer) => boolean

export interface SigningKey {
  readonly identity: Identity
  readonly algorithm: SigningKeyConfig['algorithm']
  /** Milliseconds since 1970; Infinity is never. */
  readonly expires: number
  readonly verify: Verify
}

/** RFC 2104, 3: a shorter one weakens it. */
const LEAST_SECRET_BYTES = 32

export function secretBytes({ secret = '', encoding }: SigningKeyConfig): Buffer {
  return Buffer.from(secret, encoding)
}

function isWritten({ secret = '', encoding }: SigningKeyConfig): boolean {
  if (encoding === 'utf8') return true
  if (encoding === 'hex') return /^(?:[0-9a-fA-F]{2})+$/.test(secret)
  return /^[A-Za-z0-9+/_-]+={0,2}$/.test(secret)
}

function secretProblem(key: SigningKeyConfig): string | undefined {
  if (key.publicKey !== undefined) return 'is a shared secret of hmac-sha256; take out `publicKey`'
  if (key.secret === undefined) return 'has no `secret`; give it one from the environment'
  if (!isWritten(key))
    return `has a \`secret\` that is no ${key.encoding}; say how it is written with \`encoding\``
  const { length } = secretBytes(key)
  if (length >= LEAST_SECRET_BYTES) return undefined
  return `has a \`secret\` of ${length} bytes; take at least ${LEAST_SECRET_BYTES} random ones`
}

/**
 * What is wrong with the keys, one by one and together.
 * @param publicKeyProblem why a public key cannot be used with the algorithm, or undefined
 */
export function signingKeyProblems(
  consumers: Consumers,
  publicKeyProblem: (value: string, algorithm: SigningKeyConfig['algorithm']) => string | undefined,
): Problem[] {
  const problems: Problem[] = []
  const ids = new Map<string, string>()
  for (const [name, { signingKeys }] of Object.entries(consumers)) {
    for (const [index, key] of signingKeys.entries()) {
      const path = written('consumers', name, 'signingKeys', index)
      const other = ids.get(key.id)
      if (other === undefined) ids.set(key.id, path)
      else problems.push({ path: `${path}.id`, message: `is the id of ${other} too; give each key its own` })
      let message: string | undefined
      if (key.algorithm === 'hmac-sha256') message = secretProblem(key)
      else if (key.secret !== undefined)
        message = `has a \`secret\`, which ${key.algorithm} does not; take it out`
      else if (key.publicKey === undefined)
        message = 'has no `publicKey`; give PEM text or the path of a PEM file'
      else message = publicKeyProblem(key.publicKey, key.algorithm)
      if (message !== undefined) problems.push({ path, message })
    }
  }
  return problems
}

/** All keys by their ids. */
export function signingKeys(
  consumers: Consumers,
  verifier: (key: SigningKeyConfig) => Verify,
): ReadonlyMap<string, SigningKey> {
  const keys = new Map<string, SigningKey>()
  for (const [name, consumer] of Object.entries(consumers)) {
    for (const key of consumer.signingKeys) {
      keys.set(key.id, {
        identity: consumerIdentity(name, consumer, 'signature', { claims: { keyid: key.id } }),
        algorithm: key.algorithm,
        expires: key.expires === undefined ? Number.POSITIVE_INFINITY : dateMs(key.expires),
        verify: verifier(key),
      })
    }
  }
  return keys
}
