import { dateMs } from '../../config/dates.ts'
import type { Problem } from '../../config/errors.ts'
import { written } from '../../config/messages.ts'
import type { Identity } from '../../upstreams/identity.ts'
import { Refusal, type Verdict } from '../authenticator.ts'
import { type Consumers, consumerIdentity } from '../consumers.ts'
import { isMistyped, LONGEST_KEY } from './key.ts'

interface Entry {
  readonly digest: Uint8Array
  readonly identity: Identity
  /** Milliseconds since 1970; Infinity is never. */
  readonly expires: number
}

/** What the look-up of keys is given, so that a test can count. */
export interface KeyWork {
  /** SHA-256. */
  digest(key: string): Uint8Array
  hex(digest: Uint8Array): string
  /** In a time that does not depend on where they differ. */
  equal(a: Uint8Array, b: Uint8Array): boolean
  /** Milliseconds since 1970. */
  now(): number
}

const TOLD = 'The API key is not valid'

/** What is written where a key has yet to come, and in examples: the first that anybody tries. */
const WELL_KNOWN = [
  ...[
    '',
    'test',
    'testing',
    'secret',
    'password',
    'passw0rd',
    'key',
    'my-key',
    'api-key',
    'apikey',
    'api_key',
  ],
  ...[
    'token',
    'admin',
    'root',
    'user',
    'guest',
    'demo',
    'example',
    'sample',
    'default',
    'dev',
    'foo',
    'foobar',
  ],
  ...[
    'changeme',
    'change-me',
    'change_me',
    'CHANGEME',
    'letmein',
    'hello',
    'qwerty',
    '1234',
    '12345',
    '123456',
  ],
  ...['12345678', '123456789', '1234567890', 'abc', 'abc123', 'xxx', 'undefined', 'null', 'holdfast'],
]

/** Whether anybody would guess it: a well-known word, or the name of whom it is for. */
export function isGuessable(key: string, owner?: string): boolean {
  return WELL_KNOWN.includes(key) || key === owner
}

/**
 * Keys that two consumers have, or one has twice, and those that anybody would guess.
 * @param hashOf the hash of a key as the config has it
 */
export function apiKeyProblems(consumers: Consumers, hashOf: (key: string) => string): Problem[] {
  const problems: Problem[] = []
  const seen = new Map<string, string>()
  const guessed = new Map(WELL_KNOWN.map((key) => [hashOf(key), key]))
  for (const [name, { apiKeys }] of Object.entries(consumers)) {
    const own = hashOf(name)
    for (const [index, { hash }] of apiKeys.entries()) {
      const path = written('consumers', name, 'apiKeys', index)
      const word = hash === own ? name : guessed.get(hash)
      if (word !== undefined) {
        const message = `is the hash of "${word}", which anybody would try; make a key with \`npm run api-key\``
        problems.push({ path: `${path}.hash`, message })
      }
      const other = seen.get(hash)
      if (other === undefined) seen.set(hash, path)
      else problems.push({ path, message: `is the key of ${other} too; give each consumer keys of its own` })
    }
  }
  return problems
}

/** Tells consumers by their API keys. */
export class ApiKeys {
  readonly #byHash = new Map<string, Entry>()
  readonly #work: KeyWork
  readonly #nobody: Uint8Array

  constructor(consumers: Consumers, work: KeyWork) {
    this.#work = work
    this.#nobody = work.digest('')
    for (const [name, consumer] of Object.entries(consumers)) {
      for (const key of consumer.apiKeys) {
        const claims = key.name === undefined ? {} : { claims: { api_key: key.name } }
        const hex = key.hash.slice('sha256:'.length)
        this.#byHash.set(hex, {
          digest: Uint8Array.from({ length: 32 }, (_, i) => Number.parseInt(hex.slice(i * 2, i * 2 + 2), 16)),
          identity: consumerIdentity(name, consumer, 'api-key', { scopes: key.scopes, ...claims }),
          expires: key.expires === undefined ? Number.POSITIVE_INFINITY : dateMs(key.expires),
        })
      }
    }
  }

  /** The same work for every key of the right form, whether there is one like it or not. */
  authenticate(key: string): Verdict {
    if (key === '' || key.length > LONGEST_KEY)
      return new Refusal('invalid_token', TOLD, 'no API key has such a length')
    if (isMistyped(key)) return new Refusal('invalid_token', TOLD, 'the checksum of the API key is wrong')
    const { digest, hex, equal, now } = this.#work
    const given = digest(key)
    const entry = this.#byHash.get(hex(given))
    // The map has compared already; this does so in a time that tells nothing.
    const same = equal(given, entry?.digest ?? this.#nobody)
    if (entry === undefined || !same) return new Refusal('invalid_token', TOLD, 'there is no such API key')
    if (now() >= entry.expires) {
      const { name, claims } = entry.identity
      return new Refusal(
        'invalid_token',
        TOLD,
        `the API key ${claims['api_key'] ?? ''} of ${name} has expired`,
      )
    }
    return entry.identity
  }
}
