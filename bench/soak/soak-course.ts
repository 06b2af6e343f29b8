import { setTimeout as sleep } from 'node:timers/promises'
import { dice } from '../availability/schedule.ts'
import type { Targets } from '../availability/targets.ts'
import { avoidable } from './avoidable.ts'
import { type Base, Chaos, soakFaults } from './chaos.ts'
import { plannedEvents } from './fault-plan.ts'
import { type Ending, Ledger } from './ledger.ts'
import { plannedRequests } from './request-plan.ts'
import { graceMs, type SoakGateway } from './soak-gateway.ts'
import { SoakLoad } from './soak-load.ts'
import type { Drain, QuietState } from './verdicts.ts'
import { Watch } from './watch.ts'

export interface Setting {
  gateway: SoakGateway
  targets: Targets
  base: readonly Base[]
  visitor: string
  seed: number
  rate: number
  /** Milliseconds of all phases but the drain. */
  ms: number
  /** Told at the end of each phase. */
  say: (line: string) => void
  /** Called in each quiet phase. */
  inQuiet: (number: number) => Promise<void>
}

export interface Course {
  quiet: QuietState[]
  watch: Watch
  ledger: Ledger
  happened: Map<string, number>
  problems: string[]
  removals: number[]
  /** GETs that failed although a target was well. */
  avoidable: Ending[]
}

const drainsFor = { before: 2000, within: 1500 }

/** Warm-up, quiet, load, quiet, load, quiet. Targets are well in quiet phases, and nothing is sent. */
export async function runCourse(setting: Setting): Promise<Course> {
  const { gateway, ms, rate, seed, say, inQuiet } = setting
  const quietMs = limited(ms / 15, 8000, 40_000)
  const warmMs = limited(ms / 8, 10_000, 60_000)
  const loadMs = (ms - warmMs - 3 * quietMs) / 2
  const ledger = new Ledger()
  let load: SoakLoad | undefined
  const watch = new Watch(gateway, () => load?.open ?? 0)
  const course: Course = {
    quiet: [],
    watch,
    ledger,
    happened: new Map(),
    problems: [],
    removals: [],
    avoidable: [],
  }
  const faults = soakFaults(0).map(({ name }) => name)
  const phases = Object.entries({ 'warm-up': warmMs, first: loadMs, second: loadMs })
  for (const [number, [phase, phaseMs]] of phases.entries()) {
    watch.phase = phase
    load = new SoakLoad(gateway.port, ledger, plannedRequests(rate, dice(seed * 1000 + number)))
    const plan = plannedEvents({
      faults,
      targets: setting.base.length,
      random: dice(seed * 1000 + 500 + number),
    })
    const chaos = new Chaos({ ...setting, admin: gateway.admin, plan })
    await lasting(phaseMs, gateway)
    await Promise.all([load.stop(), chaos.stop()])
    for (const [name, count] of chaos.counts)
      course.happened.set(name, (course.happened.get(name) ?? 0) + count)
    course.problems.push(...chaos.problems)
    course.removals.push(...chaos.removals)
    course.avoidable.push(...avoidable(ledger.failedGets.splice(0), chaos.troubles, setting.base.length))

    watch.phase = 'quiet'
    await setting.targets.settled()
    await lasting(quietMs, gateway)
    const state = await watch.quiet()
    course.quiet.push(state)
    await inQuiet(number)
    say(`${phase} and quiet: ${ledger.sent} requests so far, heap ${(state.heap / 2 ** 20).toFixed(2)} MiB`)
  }
  watch.stop()
  return course
}

/** SIGTERM under load: what is sent until shortly before the drain window ends has to be answered. */
export async function drain({ gateway, rate, seed }: Setting): Promise<Drain> {
  await gateway.inspector.close()
  const ledger = new Ledger()
  const load = new SoakLoad(gateway.port, ledger, plannedRequests(rate, dice(seed * 1000 + 999)))
  await lasting(drainsFor.before, gateway)
  const begin = performance.now()
  process.kill(gateway.running.pid, 'SIGTERM')
  await sleep(drainsFor.within)
  const [ended] = await Promise.all([
    Promise.race([gateway.running.gone, sleep(graceMs + 5000, 'still running', { ref: false })]),
    load.stop(),
  ])
  return { ledger, ended, ms: performance.now() - begin }
}

/** Waits; rejects if the gateway ends meanwhile. */
async function lasting(ms: number, { gone, running }: SoakGateway): Promise<void> {
  for (const end = performance.now() + ms; performance.now() < end; await sleep(100)) {
    const reason = gone()
    if (reason === undefined) continue
    const words = `${running.stderr().slice(-3000)}${running.stdout().slice(-3000)}`
    throw new Error(`the gateway has ended: ${reason}\n${words}`)
  }
}

function limited(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value))
}
