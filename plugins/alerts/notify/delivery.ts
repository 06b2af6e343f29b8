import type { PolicyContext } from '../../upstreams/contract.ts'

/** How a try went. */
export type Delivered = { readonly ok: true } | { readonly ok: false; readonly why: string }

/** What a receiver is told of by itself, at its own pace: a group of alerts, or all that an Alertmanager knows. */
export interface Topic<T> {
  /** Monotonic milliseconds: when it is looked at next. */
  dueAt: number
  /** Milliseconds from one look to the next. */
  readonly every: number
  /** Tries that have failed since it was last settled. */
  failures: number
  /** What is to be told, as things stand now; undefined if there is nothing new. */
  news(now: number): T | undefined
  /** Only what was delivered has been told. @param now when it was news */
  delivered(message: T, now: number): void
}

export interface DeliveryPorts<T> extends PolicyContext {
  /** One try. Never rejects. */
  send(message: T): Promise<Delivered>
  /** Runs something later; returns what cancels it. */
  after(ms: number, run: () => void): () => void
  /** What became of a try, or on a stop of what was not delivered. Why is said once as long as it goes on. */
  told(result: 'delivered' | 'failed' | 'dropped', why: string): void
}

const FIRST_PAUSE_MS = 1000
const LONGEST_PAUSE_MS = 60_000

/**
 * Tells one receiver what is due, one message at a time. As with Alertmanager's groups nothing queues up: a message
 * says how things stand when it is sent, and what was not delivered is news still. It is tried again after a pause that
 * doubles from 1 s to 1 min, a random half of it taken off; meanwhile others have their turn. Nobody waits for it.
 */
export class Delivery<T> {
  readonly #topics: Iterable<Topic<T>>
  readonly #ports: DeliveryPorts<T>
  #running: Promise<void> | undefined
  #telling: Topic<T> | undefined
  #cancel = (): void => {}
  /** What was last wrong with the receiver. */
  #why = ''
  #lastTry = false
  #over = false

  constructor(topics: Iterable<Topic<T>>, ports: DeliveryPorts<T>) {
    this.#topics = topics
    this.#ports = ports
  }

  /** Topics that are about to be told of, or could not be delivered. */
  get waiting(): number {
    const now = this.#ports.now()
    let waiting = 0
    for (const topic of this.#topics)
      if (
        topic === this.#telling ||
        topic.failures > 0 ||
        (topic.dueAt <= now && topic.news(now) !== undefined)
      )
        waiting++
    return waiting
  }

  /** To be called when there may be something to tell sooner than there was; else it wakes up by itself. */
  wake(): void {
    if (this.#running !== undefined || this.#lastTry) return
    this.#cancel()
    this.#running = this.#run().then(() => {
      this.#running = undefined
      this.#sleep()
    })
  }

  /** The last chance: whatever has news is tried once, and no more after that. */
  async finish(): Promise<void> {
    this.#lastTry = true
    this.#cancel()
    await this.#running
    for (const topic of [...this.#topics].toSorted(byTurn)) await this.#tell(topic)
  }

  /** Drops what was not delivered. */
  giveUp(why: string): void {
    if (this.#over) return
    for (const topic of this.#topics)
      if (topic === this.#telling || topic.news(this.#ports.now()) !== undefined)
        this.#notDelivered(topic, 'dropped', why)
    this.#lastTry = true
    this.#over = true
    this.#cancel()
  }

  async #run(): Promise<void> {
    for (let next = this.#next(); next !== undefined && !this.#lastTry; next = this.#next()) {
      if (next.dueAt > this.#ports.now()) return
      await this.#tell(next)
    }
  }

  /** Of those that are due the one whose turn it is, else the one that is due first. */
  #next(): Topic<T> | undefined {
    const now = this.#ports.now()
    let next: Topic<T> | undefined
    for (const topic of this.#topics) {
      if (next === undefined) next = topic
      else if (topic.dueAt > now ? topic.dueAt < next.dueAt : next.dueAt > now || byTurn(topic, next) < 0)
        next = topic
    }
    return next
  }

  #sleep(): void {
    const next = this.#next()
    if (next === undefined || this.#lastTry) return
    this.#cancel = this.#ports.after(Math.max(0, next.dueAt - this.#ports.now()), () => this.wake())
  }

  async #tell(topic: Topic<T>): Promise<void> {
    if (this.#over) return
    const { now, random, send } = this.#ports
    const began = now()
    // Before it is sent: what happens meanwhile may make it due earlier.
    topic.dueAt = began + topic.every
    const message = topic.news(began)
    if (message === undefined) {
      topic.failures = 0
      return
    }
    this.#telling = topic
    const delivered = await send(message)
    this.#telling = undefined
    // It was given up meanwhile, and counted as dropped.
    if (this.#over) return
    if (delivered.ok) {
      topic.failures = 0
      topic.delivered(message, began)
      this.#ports.told('delivered', '')
    } else {
      const longest = Math.min(FIRST_PAUSE_MS * 2 ** topic.failures, LONGEST_PAUSE_MS)
      topic.dueAt = now() + longest * (0.5 + random() / 2)
      this.#notDelivered(topic, 'failed', delivered.why)
    }
  }

  #notDelivered(topic: Topic<T>, result: 'failed' | 'dropped', why: string): void {
    const goesOn = why === this.#why && [...this.#topics].some(({ failures }) => failures > 0)
    topic.failures++
    this.#why = why
    this.#ports.told(result, goesOn ? '' : why)
  }
}

/** What has failed less comes first: what a receiver cannot digest must not hold up what it can. */
const byTurn = (a: Topic<unknown>, b: Topic<unknown>): number => a.failures - b.failures || a.dueAt - b.dueAt
