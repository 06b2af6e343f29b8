import { setTimeout as sleep } from 'node:timers/promises'
import type { Mode } from './modes.ts'
import type { Targets } from './targets.ts'

export interface Fault {
  name: string
  /** Breaks something for that long and puts it right again. The fault is over when it resolves. */
  inject(targets: Targets, ms: number): Promise<void>
}

/** The target that most faults befall; the others stay well. */
const sick = 1
const everyone = [0, 1, 2]
/** With no target at all nothing is there to be measured, so this is shorter than the other faults. */
const allGoneMs = 2000

export const allGone = 'all-gone'

export const faults: readonly Fault[] = [
  { name: 'killed', inject: (targets, ms) => gone(targets, [sick], ms) },
  {
    name: 'frozen',
    async inject(targets, ms) {
      targets.freeze(sick)
      await sleep(ms)
      targets.thaw(sick)
    },
  },
  turned('500s'),
  turned('503s'),
  turned('503s-retry-after'),
  turned('slow'),
  turned('reset'),
  turned('reset-mid-body'),
  turned('truncated'),
  turned('stalled'),
  turned('garbage'),
  turned('flapping'),
  {
    name: 'rolling-restart',
    async inject(targets, ms) {
      const begin = performance.now()
      for (const index of everyone) {
        await sleep(Math.max(0, begin + (index * ms) / everyone.length - performance.now()))
        await targets.stop(index)
        await targets.start(index)
      }
    },
  },
  { name: 'two-gone', inject: (targets, ms) => gone(targets, [1, 2], ms) },
  { name: allGone, inject: (targets, ms) => gone(targets, everyone, Math.min(ms, allGoneMs)) },
]

function turned(mode: Mode | 'flapping'): Fault {
  return {
    name: mode,
    async inject(targets, ms) {
      await targets.turn(sick, mode)
      await sleep(ms)
      await targets.turn(sick, 'healthy')
    },
  }
}

async function gone(targets: Targets, indices: readonly number[], ms: number): Promise<void> {
  await Promise.all(indices.map((index) => targets.kill(index)))
  await sleep(ms)
  await Promise.all(indices.map((index) => targets.start(index)))
}
