import type { Algorithm } from './options.ts'

/** A key that a token's signature is verified with. */
export interface VerifyKey {
  readonly kid: string | undefined
  readonly algorithms: readonly Algorithm[]
  /** The same for the same key, and for no other. */
  readonly fingerprint: string
  /** Verifies the token, signature and all. Throws if anything is wrong with it. */
  verify(token: string): unknown
  /** False once the issuer has withdrawn it: what it has vouched for is worth nothing any more. */
  live: boolean
}

/** Where an issuer's keys come from. */
export interface KeySource {
  /**
   * The keys that a token may be signed with: one, or a few of which one has to be it. None: it names a key that the
   * issuer does not have. Throws or rejects if that cannot be told now. Waits for a fetch where it may bring the key.
   */
  find(kid: string | undefined, alg: string): readonly VerifyKey[] | Promise<readonly VerifyKey[]>
  /** Whether what this key has verified is still good. */
  vouches(key: VerifyKey): boolean
  start(): void | Promise<void>
  stop(): void
}

/** The keys of one issuer at one time. `kid` chooses among them and does nothing else. */
export class KeyRing {
  readonly keys: readonly VerifyKey[]
  readonly #byKid: ReadonlyMap<string, readonly VerifyKey[]>

  constructor(keys: readonly VerifyKey[]) {
    this.keys = keys
    this.#byKid = Map.groupBy(
      keys.filter(({ kid }) => kid !== undefined),
      ({ kid }) => kid as string,
    )
  }

  /**
   * The key for a token, or undefined. Without a `kid` in it the only key that fits its algorithm: RFC 7515, 4.1.4, has
   * the `kid` optional, and trying one key after another would make it a waste for issuers that have many.
   */
  find(kid: string | undefined, alg: string): VerifyKey | undefined {
    if (kid !== undefined)
      return this.#byKid.get(kid)?.find((key) => key.algorithms.includes(alg as Algorithm))
    const fitting = this.keys.filter((key) => key.algorithms.includes(alg as Algorithm))
    return fitting.length === 1 ? fitting[0] : undefined
  }

  /** Says of the keys that `next` has no more that they are withdrawn. */
  replacedBy(next: KeyRing): void {
    for (const key of this.keys) if (!next.keys.includes(key)) key.live = false
  }
}
