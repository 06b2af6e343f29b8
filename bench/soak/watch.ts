import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '../../plugins/config/messages.ts'
import { descriptorsOf, residentOf } from './proc.ts'
import type { SoakGateway } from './soak-gateway.ts'
import type { QuietState, Sample } from './verdicts.ts'

const everyMs = 1000
/** A collection stops the gateway for some ten milliseconds: now and then will do. */
const heapEvery = 5
/** A health check may be under way while one looks: the least of several looks counts. */
const looks = 8
const betweenLooksMs = 330

/** Looks at the gateway once a second. */
export class Watch {
  readonly samples: Sample[] = []
  readonly problems: string[] = []
  phase = 'warm-up'
  readonly #gateway: SoakGateway
  readonly #open: () => number
  readonly #begin = performance.now()
  #timer: NodeJS.Timeout | undefined
  #looks = 0
  #busy = false

  /** @param open requests that our clients have under way */
  constructor(gateway: SoakGateway, open: () => number) {
    this.#gateway = gateway
    this.#open = open
    this.#timer = setInterval(() => void this.#look(), everyMs)
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  async quiet(): Promise<QuietState> {
    const { running, admin, inspector } = this.#gateway
    const states: QuietState[] = []
    for (let i = 0; i < looks; i++) {
      if (i > 0) await sleep(betweenLooksMs)
      const targets = await admin.targets()
      const heap = await inspector.heap()
      const descriptors = descriptorsOf(running.pid)
      states.push({
        heap: heap.used,
        external: heap.external,
        resident: residentOf(running.pid),
        descriptors: descriptors.sockets + descriptors.pipes + descriptors.others,
        sockets: descriptors.sockets,
        inflight: targets.reduce((sum, { inflight }) => sum + inflight, 0),
        resources: heap.resources,
        targets: targets.map(
          ({ origin, tier, weight, draining }) => `${origin} ${tier} ${weight} ${draining}`,
        ),
      })
    }
    return states.reduce(least)
  }

  async #look(): Promise<void> {
    if (this.#busy) return
    this.#busy = true
    try {
      const { running, admin, inspector } = this.#gateway
      const phase = this.phase
      const targets = await admin.targets()
      const heap = this.#looks++ % heapEvery === 0 ? await inspector.heap() : undefined
      if (this.#timer === undefined) return
      this.samples.push({
        at: (performance.now() - this.#begin) / 1000,
        phase,
        resident: residentOf(running.pid),
        sockets: descriptorsOf(running.pid).sockets,
        inflight: targets.reduce((sum, { inflight }) => sum + inflight, 0),
        open: this.#open(),
        ...(heap === undefined ? {} : { heap: heap.used, external: heap.external }),
      })
    } catch (error) {
      if (this.#timer !== undefined) this.problems.push(messageOf(error))
    } finally {
      this.#busy = false
    }
  }
}

function least(a: QuietState, b: QuietState): QuietState {
  const resources: Record<string, number> = {}
  for (const type of new Set([...Object.keys(a.resources), ...Object.keys(b.resources)])) {
    resources[type] = Math.min(a.resources[type] ?? 0, b.resources[type] ?? 0)
  }
  return {
    heap: Math.min(a.heap, b.heap),
    external: Math.min(a.external, b.external),
    resident: Math.min(a.resident, b.resident),
    descriptors: Math.min(a.descriptors, b.descriptors),
    sockets: Math.min(a.sockets, b.sockets),
    // of these the last look counts
    inflight: b.inflight,
    targets: b.targets,
    resources,
  }
}
