import type { Duplex } from 'node:stream'
import { Deadlines } from './deadlines.ts'
import { TunnelWatch } from './tunnel-watch.ts'

/** How late an idle tunnel may be noticed, in milliseconds: there may be thousands, and they have time. */
const PRECISION = 500

/** The tunnels that are open. Node's server does not close before they do, and has no means of its own to end them. */
export class OpenTunnels {
  /** How many there have been. */
  total = 0
  /** How many were ended because nothing passed through them any more, by upstream. */
  readonly idle: Map<string, number>
  readonly #ends = new Set<() => void>()
  readonly #watches = new Deadlines(PRECISION)
  #stopping = false

  constructor(upstreams: readonly string[]) {
    this.idle = new Map(upstreams.map((name) => [name, 0]))
  }

  get open(): number {
    return this.#ends.size
  }

  /**
   * @param sockets both ends of it
   * @param idleMs it is ended when nothing has passed for so long; 0 is never
   * @param end ends it
   * @returns is to be called once it is closed
   */
  add(upstream: string, sockets: readonly Duplex[], idleMs: number, end: () => void): () => void {
    this.#ends.add(end)
    this.total++
    const watch = new TunnelWatch(sockets, idleMs, () => {
      this.idle.set(upstream, (this.idle.get(upstream) ?? 0) + 1)
      end()
    })
    if (idleMs > 0) this.#watches.watch(watch)
    if (this.#stopping) end()
    return () => {
      this.#ends.delete(end)
      this.#watches.unwatch(watch)
    }
  }

  /** Ends all, and those that are still to come. */
  stop(): void {
    this.#stopping = true
    for (const end of this.#ends) end()
  }
}
