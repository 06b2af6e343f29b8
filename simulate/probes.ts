import type { Ask } from '../plugins/load-balancing/prequal/probes.ts'
import { registerLoadAware } from '../plugins/load-balancing/register-load-aware.ts'
import type { Target } from '../plugins/upstreams/contract.ts'
import { Registry } from '../plugins/upstreams/registry.ts'
import type { Balancers } from './gateway.ts'

/** The same balancers, but with probes that go to the simulated fleet and not over HTTP. */
export function withProbes(balancers: Balancers, ask: Ask): Balancers {
  const registry = new Registry({ now: () => 0, random: () => 0 }, {})
  registerLoadAware(registry, ask)
  const prequal = registry.balancers.get('prequal')
  return prequal === undefined || !balancers.has('prequal')
    ? balancers
    : new Map([...balancers, ['prequal', prequal]])
}

/** Probes under way, in the order in which they were sent and come back. */
export class Probes {
  readonly #waiting: { target: Target; answered: Parameters<Ask>[2] }[] = []
  #first = 0

  add(target: Target, answered: Parameters<Ask>[2]): void {
    this.#waiting.push({ target, answered })
  }

  /** @param answer undefined if the target does not answer; a latency of 0 if it knows none */
  answer(answer: { rif: number; latencyMs: number } | undefined): void {
    const { target, answered } = this.#waiting[this.#first++]!
    if (answer !== undefined) answered(target, answer.rif, answer.latencyMs || Number.NaN)
    if (this.#first < 4096) return
    this.#waiting.splice(0, this.#first)
    this.#first = 0
  }
}
