import { setTimeout as sleep } from 'node:timers/promises'
import type { Mode } from './modes.ts'
import type { Targets } from './targets.ts'

export interface Fault {
  name: string
  /** Breaks something for that long and puts it right again. The fault is over when it resolves. */
  inject(targets: Targets, ms: number): Promise<void>
}

const modes: readonly (Mode | 'flapping')[] = [
  '500s',
  '503s',
  '503s-retry-after',
  'slow',
  'reset',
  'reset-mid-body',
  'truncated',
  'stalled',
  'garbage',
  'flapping',
]
const everyone = [0, 1, 2]
/** With no target at all nothing is there to be measured, so this is shorter than the other faults. */
const allGoneMs = 2000
/** Long enough for some to take a well target for a sick one, and to believe it for longer than until the fault. */
const hiccupMs = 400
const afterHiccupMs = 3000

export const allGone = 'all-gone'

/** Those of a single target. */
export function faultsOf(sick: number): readonly Fault[] {
  return [
    { name: 'killed', inject: (targets, ms) => gone(targets, [sick], ms) },
    { name: 'frozen', inject: (targets, ms) => frozen(targets, [sick], ms) },
    ...modes.map((mode) => turned(sick, mode)),
  ]
}

/** Those of the scoreboard: most befall the second of three targets, and the others stay well. */
export const faults: readonly Fault[] = [
  ...faultsOf(1),
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
  { name: 'two-frozen', inject: (targets, ms) => frozen(targets, [1, 2], ms) },
  {
    name: 'two-gone-after-a-hiccup',
    async inject(targets, ms) {
      await frozen(targets, [0], hiccupMs)
      await sleep(afterHiccupMs)
      await gone(targets, [1, 2], ms)
    },
  },
  { name: allGone, inject: (targets, ms) => gone(targets, everyone, Math.min(ms, allGoneMs)) },
]

function turned(sick: number, mode: Mode | 'flapping'): Fault {
  return {
    name: mode,
    async inject(targets, ms) {
      await targets.turn(sick, mode)
      await sleep(ms)
      await targets.turn(sick, 'healthy')
    },
  }
}

async function frozen(targets: Targets, indices: readonly number[], ms: number): Promise<void> {
  for (const index of indices) targets.freeze(index)
  await sleep(ms)
  for (const index of indices) targets.thaw(index)
}

/** Kills these targets and starts them again after that time (ms). */
export async function gone(targets: Targets, indices: readonly number[], ms: number): Promise<void> {
  await Promise.all(indices.map((index) => targets.kill(index)))
  await sleep(ms)
  await Promise.all(indices.map((index) => targets.start(index)))
}
