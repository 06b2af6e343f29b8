import { RedisUnavailable } from './errors.ts'
import { type After, Patience } from './patience.ts'

/** What is needed of a client of Redis. */
export interface Client {
  ping(): Promise<unknown>
  /** Breaks the connection and makes another one. */
  reconnect(): void
}

/** Milliseconds between two looks at a Redis that does not answer. */
const PROBE_EVERY = 250
/** After so many unanswered ones the connection itself is suspected: behind a dead network it would never tell. */
const PROBES_PER_CONNECTION = 8
/** Milliseconds that a new connection has to become usable. */
const HANDSHAKE = 2000

/**
 * A Redis that nobody has to wait for. What it does not answer in time is given up, and from then on it is not asked
 * at all until it has answered a probe: a frozen one costs the requests under way one time-out each, and those after
 * them nothing.
 */
export class GuardedRedis<C extends Client> {
  /** Whether it is asked. */
  available = false
  /** Commands that were given up. */
  unanswered = 0
  readonly #client: C
  readonly #timeout: number
  readonly #after: After
  readonly #patience: Patience
  readonly #told: (available: boolean, why: string) => void
  readonly #listeners: ((available: boolean) => void)[] = []
  #connected = false
  #silent = false
  #said: boolean | undefined
  #probes = 0
  #cancelProbe: (() => void) | undefined
  #cancelHandshake: (() => void) | undefined
  #closed = false

  /**
   * @param timeout milliseconds
   * @param told hears of each change once, and of a first connection that fails
   */
  constructor(
    client: C,
    timeout: number,
    now: () => number,
    after: After,
    told: (available: boolean, why: string) => void,
  ) {
    this.#client = client
    this.#timeout = timeout
    this.#after = after
    this.#patience = new Patience(timeout, now, after)
    this.#told = told
  }

  /** Rejects within the time-out whatever happens, and at once while Redis is known not to answer. */
  ask<T>(command: (client: C) => Promise<T>): Promise<T> {
    if (!this.available) return Promise.reject(new RedisUnavailable('it does not answer'))
    return this.#within(command, () => {
      this.unanswered++
      this.#fellSilent()
    })
  }

  onChange(listener: (available: boolean) => void): void {
    this.#listeners.push(listener)
  }

  /** A connection is there; it has to become usable. */
  connecting(): void {
    this.#cancelHandshake?.()
    this.#cancelHandshake = this.#after(HANDSHAKE, () => {
      this.#cancelHandshake = undefined
      if (!this.#closed && !this.#connected) {
        this.#say(false, 'it takes connections and does not answer')
        this.#client.reconnect()
      }
    })
  }

  /** The connection is usable: it has answered. */
  connected(): void {
    this.#endHandshake()
    this.#connected = true
    this.#answers()
  }

  disconnected(why: string): void {
    this.#endHandshake()
    this.#connected = false
    this.#endProbe()
    this.#update(why)
  }

  /** What is under way is given up. */
  close(): void {
    this.#closed = true
    this.available = false
    this.#endHandshake()
    this.#endProbe()
    this.#patience.close()
  }

  #within<T>(command: (client: C) => Promise<T>, silent: () => void): Promise<T> {
    return new Promise((resolve, reject) => {
      const wait = this.#patience.begin(() => {
        silent()
        reject(new RedisUnavailable(`no answer within ${this.#timeout} ms`))
      })
      // A client that is at its end throws.
      Promise.try(command, this.#client).then(
        (value) => {
          if (this.#patience.end(wait)) resolve(value)
        },
        (error) => {
          if (this.#patience.end(wait)) reject(error)
        },
      )
    })
  }

  #fellSilent(): void {
    if (this.#silent || !this.#connected || this.#closed) return
    this.#silent = true
    this.#probes = 0
    this.#update(`no answer within ${this.#timeout} ms`)
    this.#probe()
  }

  #probe(): void {
    this.#cancelProbe = undefined
    if (this.#probes++ >= PROBES_PER_CONNECTION) {
      this.#client.reconnect()
      return
    }
    const again = (): void => {
      if (!this.#silent || !this.#connected || this.#closed) return
      this.#cancelProbe ??= this.#after(PROBE_EVERY, () => this.#probe())
    }
    this.#within((client) => client.ping(), again).then(() => this.#answers(), again)
  }

  #answers(): void {
    if (this.#closed || !this.#connected) return
    this.#silent = false
    this.#endProbe()
    this.#update('it answers')
  }

  #update(why: string): void {
    if (this.#closed) return
    const available = this.#connected && !this.#silent
    const changed = available !== this.available
    this.available = available
    this.#say(available, why)
    if (changed) for (const listener of this.#listeners) listener(available)
  }

  #say(available: boolean, why: string): void {
    if (this.#said === available) return
    this.#said = available
    this.#told(available, why)
  }

  #endProbe(): void {
    this.#cancelProbe?.()
    this.#cancelProbe = undefined
  }

  #endHandshake(): void {
    this.#cancelHandshake?.()
    this.#cancelHandshake = undefined
  }
}
