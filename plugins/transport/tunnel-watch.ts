import type { Duplex } from 'node:stream'
import type { Watched } from './deadlines.ts'

/** Ends a tunnel that nothing passes through any more, in either direction. */
export class TunnelWatch implements Watched {
  /** Watched. */
  deadline = 0
  place = -1
  readonly #idle: number
  readonly #end: () => void

  /**
   * @param idle milliseconds
   * @param end is called when for so long nothing has come from any of the sockets
   */
  constructor(sockets: readonly Duplex[], idle: number, end: () => void) {
    this.#idle = idle
    this.#end = end
    this.#moved()
    for (const socket of sockets) socket.on('data', this.#moved)
  }

  /** Watched. */
  expired(): void {
    this.deadline = Number.POSITIVE_INFINITY
    this.#end()
  }

  readonly #moved = (): void => {
    this.deadline = performance.now() + this.#idle
  }
}
