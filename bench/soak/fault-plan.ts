import { logUniform } from './request-plan.ts'

/** What an operator does to one target through the admin listener. */
export type Change = 'drain' | 'replace' | 'weigh'

/** Something that happens `at` ms after the beginning, for `ms` milliseconds. */
export type PlannedEvent =
  | {
      readonly at: number
      readonly what: 'fault'
      readonly name: string
      readonly target: number
      readonly ms: number
    }
  | { readonly at: number; readonly what: 'all-gone'; readonly ms: number }
  | {
      readonly at: number
      readonly what: 'change'
      readonly change: Change
      readonly target: number
      readonly ms: number
    }
  /** A target that is not in the config joins, and leaves again. */
  | { readonly at: number; readonly what: 'visit'; readonly ms: number }

export interface FaultSetting {
  /** Names of the faults that befall a single target. */
  readonly faults: readonly string[]
  /** How many targets the config has. */
  readonly targets: number
  readonly random: () => number
}

/** Mean time between two events (ms); the gaps are exponential. */
const meanGapMs = 1700
/** How many of a hundred events are what. */
const shares = { fault: 72, change: 14, visit: 11 }
/** Of the faults that come as a pair, on two targets at once. */
const shareOfPairs = 1 / 3
const lasts = { least: 100, most: 8000 }
const changes: readonly Change[] = ['drain', 'replace', 'weigh']
const allGoneMs = 1000

/** Events without end, in the order of their times. They overlap; nothing of them depends on how one went. */
export function* plannedEvents({ faults, targets, random }: FaultSetting): Generator<PlannedEvent, never> {
  const whole = (below: number) => Math.floor(random() * below)
  let at = 0
  while (true) {
    at += -Math.log(1 - random()) * meanGapMs
    const what = random() * 100
    const ms = logUniform(lasts.least, lasts.most, random())
    if (what < shares.fault) {
      const target = whole(targets)
      yield { at, what: 'fault', name: faults[whole(faults.length)]!, target, ms }
      if (targets > 1 && random() < shareOfPairs) {
        const other = (target + 1 + whole(targets - 1)) % targets
        yield { at, what: 'fault', name: faults[whole(faults.length)]!, target: other, ms }
      }
    } else if (what < shares.fault + shares.change) {
      yield { at, what: 'change', change: changes[whole(changes.length)]!, target: whole(targets), ms }
    } else if (what < shares.fault + shares.change + shares.visit) {
      yield { at, what: 'visit', ms }
    } else {
      yield { at, what: 'all-gone', ms: allGoneMs }
    }
  }
}
