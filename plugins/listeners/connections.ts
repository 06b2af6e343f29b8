import type { Server } from 'node:net'
import type { Collector } from '../upstreams/measures.ts'

interface Count {
  open: number
  total: number
}

/** Counts the connections of clients, by the listener that took them. */
export class Connections {
  readonly #counts = new Map<string, Count>()

  /** @param name where the config has the listener */
  watch(name: string, listener: Server): void {
    const count = { open: 0, total: 0 }
    this.#counts.set(name, count)
    const closed = (): void => {
      count.open--
    }
    listener.on('connection', (socket) => {
      count.open++
      count.total++
      socket.once('close', closed)
    })
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
