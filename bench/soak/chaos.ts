import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '../../plugins/config/messages.ts'
import { type Fault, faultsOf, gone } from '../availability/faults.ts'
import { OpenLoop } from '../availability/open-loop.ts'
import type { Targets } from '../availability/targets.ts'
import type { AdminClient } from './admin-client.ts'
import type { Trouble } from './avoidable.ts'
import type { Change, PlannedEvent } from './fault-plan.ts'

/** A request takes at most 20 s, whatever happens to it; see soak.config.ts and target.ts. */
const emptyWithinMs = 40_000
const heavier = 3

/** A target of the config: where it is, and what the config says of it. */
export interface Base {
  origin: string
  tier: number
}

export interface ChaosSetting {
  targets: Targets
  admin: AdminClient
  /** Those of the config, in the order of the processes. The process after them is the visitor. */
  base: readonly Base[]
  visitor: string
  plan: Iterator<PlannedEvent, never>
}

/** `restarted`: SIGTERM, finishes what it has, is started again after that time. */
export function soakFaults(target: number): readonly Fault[] {
  return [
    ...faultsOf(target),
    {
      name: 'restarted',
      async inject(targets, ms) {
        await within(`target ${target} finishing what it has`, emptyWithinMs, targets.stop(target))
        await sleep(ms)
        await targets.start(target)
      },
    },
  ]
}

/** Lets the planned events happen. What befalls the same target goes one after another; all else overlaps. */
export class Chaos {
  /** How often each thing happened. */
  readonly counts = new Map<string, number>()
  /** What did not go as it has to. */
  readonly problems: string[] = []
  /** When which target was not to be counted on. */
  readonly troubles: Trouble[] = []
  /** How long removed targets took to go (ms). */
  readonly removals: number[] = []
  readonly #setting: ChaosSetting
  readonly #loop: OpenLoop<PlannedEvent>
  /** For each process, and for each target as the gateway knows it: when it is free. */
  readonly #processes: Promise<void>[]
  readonly #known: Promise<void>[]

  constructor(setting: ChaosSetting) {
    this.#setting = setting
    this.#processes = setting.targets.ports.map(() => Promise.resolve())
    this.#known = setting.targets.ports.map(() => Promise.resolve())
    this.#loop = new OpenLoop(setting.plan, (event) => this.#happen(event))
  }

  /** Resolves when everything is as it was before. */
  async stop(): Promise<void> {
    this.#loop.stop()
    await Promise.all([...this.#processes, ...this.#known])
  }

  #happen(event: PlannedEvent): void {
    const { targets, base } = this.#setting
    const { ms } = event
    switch (event.what) {
      case 'fault': {
        const fault = soakFaults(event.target).find(({ name }) => name === event.name)!
        this.#after(this.#processes, [event.target], fault.name, () => fault.inject(targets, ms))
        break
      }
      case 'all-gone': {
        const all = targets.ports.map((_, index) => index)
        this.#after(this.#processes, all, 'all-gone', () => gone(targets, all, ms))
        break
      }
      case 'change': {
        const of = base[event.target]!
        this.#after(this.#known, [event.target], event.change, () => this.#change(of, event.change, ms))
        break
      }
      case 'visit':
        this.#after(this.#known, [base.length], 'visit', () => this.#visit(ms))
    }
  }

  async #change({ origin, tier }: Base, change: Change, ms: number): Promise<void> {
    const { admin } = this.#setting
    if (change === 'replace') {
      this.removals.push(await admin.remove(origin, emptyWithinMs))
      await sleep(ms)
      await admin.add(origin, tier)
      return
    }
    const [there, back] =
      change === 'drain' ? [{ draining: true }, { draining: false }] : [{ weight: heavier }, { weight: 1 }]
    await admin.change(origin, there)
    await sleep(ms)
    await admin.change(origin, back)
  }

  async #visit(ms: number): Promise<void> {
    const { admin, visitor } = this.#setting
    await admin.add(visitor, 0)
    await sleep(ms)
    await admin.change(visitor, { draining: true })
    await sleep(ms / 4)
    this.removals.push(await admin.remove(visitor, emptyWithinMs))
  }

  /** Does it as soon as all of these are free, and counts it. */
  #after(lines: Promise<void>[], indices: readonly number[], name: string, act: () => Promise<void>): void {
    const done = Promise.all(indices.map((index) => lines[index])).then(async () => {
      this.counts.set(name, (this.counts.get(name) ?? 0) + 1)
      const from = this.#loop.elapsed()
      try {
        await act()
      } catch (error) {
        this.problems.push(`${name}: ${messageOf(error)}`)
      }
      const to = this.#loop.elapsed()
      if (name !== 'weigh') this.troubles.push(...indices.map((target) => ({ target, from, to })))
    })
    for (const index of indices) lines[index] = done
  }
}

async function within<T>(what: string, ms: number, done: Promise<T>): Promise<T> {
  const late = new AbortController()
  const limit = sleep(ms, undefined, { signal: late.signal }).then(() => {
    throw new Error(`${what} takes more than ${ms} ms`)
  })
  try {
    return await Promise.race([done, limit])
  } finally {
    limit.catch(() => {})
    late.abort()
  }
}
