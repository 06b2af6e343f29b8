import type { PolicyContext } from '../../upstreams/contract.ts'

/** How a try went: `again` if another one may do better. */
export type Delivered =
  | { readonly ok: true }
  | { readonly ok: false; readonly again: boolean; readonly why: string }

export interface DeliveryPorts<T> extends PolicyContext {
  /** One try. Never rejects. To be given up when the signal says so. */
  send(message: T): Promise<Delivered>
  /** Runs something later; returns what cancels it. */
  after(ms: number, run: () => void): () => void
  /** What became of a try, and of a message in the end. */
  told(result: 'delivered' | 'failed' | 'dropped', message: T, why: string): void
}

export interface DeliveryOptions {
  /** So many messages wait at most. */
  readonly queue: number
  /** Milliseconds for which a message is tried again. */
  readonly retryFor: number
  /** Only the newest message counts: it says all that those before it said. */
  readonly newestOnly?: boolean
}

const FIRST_PAUSE_MS = 1000
const LONGEST_PAUSE_MS = 60_000

interface Waiting<T> {
  readonly message: T
  readonly since: number
}

/**
 * Messages to one receiver, one at a time and in their order. What fails is tried again after a pause that doubles
 * from 1 s to 1 min, a random half of it taken off, until it is too old. Bounded, and nobody waits for it.
 */
export class Delivery<T> {
  readonly #options: DeliveryOptions
  readonly #ports: DeliveryPorts<T>
  readonly #queue: Waiting<T>[] = []
  #sending: Promise<void> | undefined
  #tries = 0
  #cancel: (() => void) | undefined
  #over = false

  constructor(options: DeliveryOptions, ports: DeliveryPorts<T>) {
    this.#options = options
    this.#ports = ports
  }

  get waiting(): number {
    return this.#queue.length
  }

  push(message: T): void {
    const { queue, newestOnly = false } = this.#options
    // The first one may be under way: it is left to its fate.
    const kept = this.#sending === undefined ? 0 : 1
    if (newestOnly) this.#queue.length = Math.min(this.#queue.length, kept)
    else if (this.#queue.length >= queue + kept) {
      const [oldest] = this.#queue.splice(kept, 1) as [Waiting<T>]
      this.#ports.told('dropped', oldest.message, `${queue} are waiting already`)
    }
    this.#queue.push({ message, since: this.#ports.now() })
    if (this.#cancel === undefined || this.#over) this.#next()
  }

  /** No more pauses: what waits is tried once more, until nothing is left. What fails now is dropped. */
  async finish(): Promise<void> {
    this.#over = true
    this.#cancel?.()
    this.#cancel = undefined
    this.#next()
    while (this.#sending !== undefined) await this.#sending
  }

  /** Drops what waits. */
  giveUp(why: string): void {
    this.#over = true
    this.#cancel?.()
    for (const { message } of this.#queue.splice(0)) this.#ports.told('dropped', message, why)
  }

  #next(): void {
    const head = this.#queue[0]
    if (head === undefined || this.#sending !== undefined) return
    this.#sending = this.#ports.send(head.message).then((delivered) => {
      this.#sending = undefined
      this.#settle(head, delivered)
    })
  }

  #settle(head: Waiting<T>, delivered: Delivered): void {
    const { now, random, after, told } = this.#ports
    // It may have been given up meanwhile.
    if (this.#queue[0] !== head) {
      this.#next()
      return
    }
    if (!delivered.ok) told('failed', head.message, delivered.why)
    const pause = Math.min(FIRST_PAUSE_MS * 2 ** this.#tries, LONGEST_PAUSE_MS) * (0.5 + random() / 2)
    const tooOld = now() + pause - head.since > this.#options.retryFor
    if (!delivered.ok && delivered.again && !tooOld && !this.#over) {
      // Newer news is better news.
      if (this.#options.newestOnly === true && this.#queue.length > 1) this.#queue.shift()
      this.#tries++
      this.#cancel = after(pause, () => {
        this.#cancel = undefined
        this.#next()
      })
      return
    }
    this.#queue.shift()
    this.#tries = 0
    told(delivered.ok ? 'delivered' : 'dropped', head.message, delivered.ok ? '' : delivered.why)
    this.#next()
  }
}
