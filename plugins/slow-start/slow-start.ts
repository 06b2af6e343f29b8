import type { Target } from '../upstreams/contract.ts'
import type { UpstreamEvent } from '../upstreams/events.ts'
import { type Ramp, shareAfter } from './ramp.ts'

/** Who ramps in one upstream, and since when. */
export class SlowStart {
  readonly #ramp: Ramp
  readonly #now: () => number
  /** When each target began. */
  readonly #since = new Map<Target, number>()
  /** Set aside as unhealthy, and as ejected: a target may be both. */
  readonly #unhealthy = new Set<Target>()
  readonly #ejected = new Set<Target>()

  /** @param now milliseconds, monotonic */
  constructor(ramp: Ramp, now: () => number) {
    this.#ramp = ramp
    this.#now = now
  }

  get ramping(): ReadonlyMap<Target, unknown> {
    return this.#since
  }

  share(target: Target): number {
    const since = this.#since.get(target)
    return since === undefined ? 1 : shareAfter(this.#now() - since, this.#ramp)
  }

  /** Whether the target's share is another one from now on. */
  heard({ name }: UpstreamEvent, target: Target): boolean {
    switch (name) {
      case 'unhealthy':
        this.#unhealthy.add(target)
        return this.#since.delete(target)
      case 'ejected':
        this.#ejected.add(target)
        return this.#since.delete(target)
      case 'returned':
        this.#ejected.delete(target)
        return this.begin(target)
      case 'healthy': {
        // The first check of a target that nothing is held against: no reason to spare it.
        const wasUnhealthy = this.#unhealthy.delete(target)
        return wasUnhealthy || this.#ejected.has(target) ? this.begin(target) : false
      }
      default:
        return false
    }
  }

  /** From the bottom, also where it was on its way already. */
  begin(target: Target): true {
    this.#since.set(target, this.#now())
    return true
  }

  forget(target: Target): void {
    this.#since.delete(target)
    this.#unhealthy.delete(target)
    this.#ejected.delete(target)
  }

  /** Lets go of those that are done. */
  retire(): void {
    const done = this.#now() - this.#ramp.window
    for (const [target, since] of this.#since) if (since <= done) this.#since.delete(target)
  }
}
