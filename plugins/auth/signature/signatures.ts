import type { Resolved } from '../../config/typed.ts'
import type { Identity } from '../../upstreams/identity.ts'
import { Refusal } from '../authenticator.ts'
import { type SignatureBase, signatureBase } from './base.ts'
import { fieldLines, type SignedRequest } from './components.ts'
import type { SigningKey } from './keys.ts'
import { Nonces } from './nonces.ts'
import type { signatureOptions } from './options.ts'
import { uncovered } from './required.ts'
import { type InnerList, isInnerList, type Parameters, parseDictionary } from './structured-fields.ts'

export type SignatureOptions = Resolved<typeof signatureOptions>

/** The caller, and what its signature covers. */
export interface Signed {
  readonly identity: Identity
  readonly digests: SignatureBase['digests']
}

export interface Clock {
  /** Milliseconds since 1970. */
  date(): number
  /** Monotonic milliseconds. */
  now(): number
}

interface Candidate {
  readonly input: InnerList
  readonly signature: Buffer
}

/** More signatures than this are none that a client of ours would send. */
const MOST = 8
const LONGEST_NONCE = 256
const TOLD = 'The signature is not valid'

function refused(why: string): Refusal {
  return new Refusal('invalid_token', TOLD, why)
}

function malformed(why: string): Refusal {
  return new Refusal('invalid_request', 'The signature cannot be read', why)
}

function integer(parameters: Parameters, name: string): number | undefined | 'other' {
  const value = parameters.get(name)
  if (value === undefined) return undefined
  return value.type === 'integer' ? value.value : 'other'
}

function text(parameters: Parameters, name: string): string | undefined | 'other' {
  const value = parameters.get(name)
  if (value === undefined) return undefined
  // One that is a string and says "other" is no name of a key, an algorithm or a tag.
  return value.type === 'string' ? value.value : 'other'
}

/** Tells consumers by their signatures (RFC 9421). */
export class Signatures {
  readonly #keys: ReadonlyMap<string, SigningKey>
  readonly #options: SignatureOptions
  readonly #clock: Clock
  readonly #nonces = new Map<SigningKey, Nonces>()

  constructor(keys: ReadonlyMap<string, SigningKey>, options: SignatureOptions, clock: Clock) {
    this.#keys = keys
    this.#options = options
    this.#clock = clock
  }

  /** Nonces that are kept, over all keys. */
  get nonces(): number {
    let count = 0
    for (const { size } of this.#nonces.values()) count += size
    return count
  }

  /**
   * @param hasBody whether the request brings one
   * @returns undefined if it is not signed. Throws if there is no room for its nonce.
   */
  authenticate(request: SignedRequest, hasBody: boolean): Signed | Refusal | undefined {
    const candidates = this.#candidates(request.rawHeaders)
    if (candidates === undefined || candidates instanceof Refusal) return candidates
    // The first of a key that is known: others are for those who come after us.
    for (const { input, signature } of candidates) {
      const key = this.#keys.get(text(input.parameters, 'keyid') ?? '')
      if (key !== undefined) return this.#verify(key, input, signature, request, hasBody)
    }
    return refused('there is no such key')
  }

  #candidates(rawHeaders: readonly string[]): readonly Candidate[] | Refusal | undefined {
    const inputLines = fieldLines(rawHeaders, 'signature-input')
    const signatureLines = fieldLines(rawHeaders, 'signature')
    if (inputLines.length === 0) return undefined
    const inputs = parseDictionary(inputLines.join(', '))
    const signatures = parseDictionary(signatureLines.join(', '))
    if (inputs === undefined || signatures === undefined) return malformed('the headers are no dictionaries')
    if (inputs.size > MOST) return malformed('there are too many signatures')
    const candidates: Candidate[] = []
    for (const [label, input] of inputs) {
      const signature = signatures.get(label)
      if (!isInnerList(input)) return malformed(`Signature-Input has no list for ${label}`)
      if (signature === undefined || isInnerList(signature) || signature.item.type !== 'bytes')
        return malformed(`Signature has no bytes for ${label}`)
      const { tag } = this.#options
      if (tag !== undefined && text(input.parameters, 'tag') !== tag) continue
      candidates.push({ input, signature: signature.item.value })
    }
    return candidates.length === 0 ? undefined : candidates
  }

  #verify(
    key: SigningKey,
    input: InnerList,
    signature: Buffer,
    request: SignedRequest,
    hasBody: boolean,
  ): Signed | Refusal {
    const { parameters } = input
    const algorithm = text(parameters, 'alg')
    // What it says is only ever compared: the key alone decides how it is verified (RFC 9421, 7.3.6).
    if (algorithm !== undefined && algorithm !== key.algorithm)
      return refused("it names an algorithm that is not its key's")
    const wrongTime = this.#wrongTime(key, parameters)
    if (wrongTime !== undefined) return refused(wrongTime)
    const nonce = text(parameters, 'nonce')
    if (
      nonce === undefined ? this.#options.nonce === 'required' : nonce === '' || nonce.length > LONGEST_NONCE
    )
      return refused('it has no nonce, or one that is no fit')
    const base = signatureBase(input, request)
    if ('why' in base) return refused(`it ${base.why}`)
    const { covers, body } = this.#options
    const missing = uncovered(covers, base.covered)
    if (missing !== undefined) return refused(`it does not cover ${missing}`)
    if (hasBody && body === 'required' && base.digests === 'none')
      return refused('it does not cover content-digest')
    if (!key.verify(base.text, signature)) return refused('it is not what the key makes of this request')
    // Only of good ones: strangers cannot fill the memory.
    if (nonce !== undefined && !this.#noncesOf(key).take(nonce, this.#clock.now()))
      return refused('its nonce was used before')
    return { identity: key.identity, digests: base.digests }
  }

  #wrongTime(key: SigningKey, parameters: Parameters): string | undefined {
    const now = this.#clock.date()
    const { maxAge, skew } = this.#options
    const created = integer(parameters, 'created')
    const expires = integer(parameters, 'expires')
    if (typeof created !== 'number' || expires === 'other') return 'it does not say when it was made'
    if (now >= key.expires) return 'its key has expired'
    if (created * 1000 > now + skew) return 'it was made in the future'
    if (now > created * 1000 + maxAge + skew) return 'it was made too long ago'
    if (expires !== undefined && now > expires * 1000 + skew) return 'it has expired'
    return undefined
  }

  #noncesOf(key: SigningKey): Nonces {
    let nonces = this.#nonces.get(key)
    if (nonces === undefined) {
      const { maxAge, skew, nonces: limit } = this.#options
      // From a signature that is as far in the future as may be to the end of its life.
      nonces = new Nonces(maxAge + 2 * skew, limit)
      this.#nonces.set(key, nonces)
    }
    return nonces
  }
}
