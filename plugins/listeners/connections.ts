import type { Server } from 'node:net'
import type { Collector } from '../upstreams/measures.ts'

interface Count {
  open: number
  total: number
}

/** Counts the connections of clients, by the listener that took them, and takes no more than there is room for. */
export class Connections {
  readonly #counts = new Map<string, Count>()
  readonly #most: number
  #open = 0

  /** @param most so many at a time, over all listeners */
  constructor(most: number) {
    this.#most = most
  }

  /**
   * @param name where the config has the listener
   * @param refused hears of connections that were closed because there are too many, and from where they came
   */
  watch(name: string, listener: Server, refused: (peer: string | undefined) => void): void {
    const count = { open: 0, total: 0 }
    this.#counts.set(name, count)
    const closed = (): void => {
      count.open--
      this.#open--
    }
    listener.on('connection', (socket) => {
      count.open++
      count.total++
      this.#open++
      socket.once('close', closed)
    })
    if (!Number.isFinite(this.#most)) return
    // Node closes what comes beyond it, without a word. Asked for each, since all listeners share what there is.
    Object.defineProperty(listener, 'maxConnections', { get: () => count.open + this.#most - this.#open })
    listener.on('drop', (dropped) => refused(dropped?.remoteAddress))
  }

  get collectors(): Collector[] {
    const collector = (
      name: string,
      type: Collector['type'],
      help: string,
      numberOf: (count: Count) => number,
    ): Collector => ({
      name,
      help,
      type,
      labels: ['listener'],
      collect: (add) => {
        for (const [listener, count] of this.#counts) add(numberOf(count), listener)
      },
    })
    return [
      collector('connections_open', 'gauge', 'Connections of clients that are open.', ({ open }) => open),
      collector('connections_total', 'counter', 'Connections of clients so far.', ({ total }) => total),
    ]
  }
}
