import { setTimeout as sleep } from 'node:timers/promises'
import { coreBusy, groupCpu, processCpu } from './cpu.ts'

/** Others may use this share of one core, over both cores, before a window counts as disturbed. */
export const disturbedAbove = 0.05

const lookMs = 500
const mayRepeat = 3

/** Who uses the two cores, at one moment; all in µs. */
export interface Usage {
  proxy: number
  ours: number
  all: number
  at: number
}

/** `groups` of the proxy and of the targets. The load generator counts as this process's ended child. */
export function usage(cores: readonly number[], groups: { proxy: number; targets: number }): Usage {
  const proxy = groupCpu(groups.proxy)
  return {
    proxy,
    ours: proxy + groupCpu(groups.targets) + processCpu('self'),
    all: cores.reduce((sum, core) => sum + coreBusy(core), 0),
    at: performance.now() * 1000,
  }
}

/** What processes that are not ours used between two moments, as a share of one core. */
export function foreignShare(before: Usage, after: Usage): number {
  return Math.max(0, after.all - before.all - (after.ours - before.ours)) / (after.at - before.at)
}

/** Waiting for other people's programs to end, within a budget for the whole run. */
export class Patience {
  #leftMs: number
  repeated = 0

  constructor(seconds: number) {
    this.#leftMs = seconds * 1000
  }

  /** Measures again while others disturb it, at most a few times. Which window counts never depends on its result. */
  async undisturbed<T extends { foreign: number }>(
    cores: readonly number[],
    measure: () => Promise<T>,
  ): Promise<T> {
    let best: T | undefined
    for (let i = 0; i <= mayRepeat; i++) {
      await this.#quiet(cores)
      const begin = performance.now()
      const sample = await measure()
      if (best === undefined || sample.foreign < best.foreign) best = sample
      if (sample.foreign <= disturbedAbove || this.#leftMs <= 0) break
      this.#leftMs -= performance.now() - begin
      this.repeated++
    }
    return best!
  }

  /** Between windows nothing of ours has work, so whatever is busy is somebody else. */
  async #quiet(cores: readonly number[]): Promise<void> {
    while (this.#leftMs > 0) {
      const before = cores.map(coreBusy)
      await sleep(lookMs)
      const busy = cores.reduce((sum, core, i) => sum + coreBusy(core) - before[i]!, 0)
      if (busy / 1000 / lookMs <= disturbedAbove) return
      this.#leftMs -= lookMs
    }
  }
}
