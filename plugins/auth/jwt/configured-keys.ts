import type { KeySource, VerifyKey } from './key-ring.ts'
import type { Algorithm } from './options.ts'

/**
 * Keys that stand in the config: they have no `kid`, so that of a token says nothing, and each that fits its algorithm
 * is tried.
 */
export class ConfiguredKeys implements KeySource {
  readonly #make: () => Promise<readonly VerifyKey[]>
  readonly #byAlgorithm = new Map<string, VerifyKey[]>()

  constructor(make: () => Promise<readonly VerifyKey[]>) {
    this.#make = make
  }

  async start(): Promise<void> {
    for (const key of await this.#make()) {
      for (const algorithm of key.algorithms) {
        const same = this.#byAlgorithm.get(algorithm)
        if (same === undefined) this.#byAlgorithm.set(algorithm, [key])
        else same.push(key)
      }
    }
  }

  stop(): void {}

  find(_kid: string | undefined, alg: string): readonly VerifyKey[] {
    return this.#byAlgorithm.get(alg as Algorithm) ?? []
  }

  vouches({ live }: VerifyKey): boolean {
    return live
  }
}
