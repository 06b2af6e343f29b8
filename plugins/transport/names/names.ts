import type { PolicyContext } from '../../upstreams/contract.ts'
import { type Answer, type NameEvent, NameState, type Resolved } from './name-state.ts'

/** What the names need of the world. */
export interface Surroundings {
  readonly context: PolicyContext
  /** Runs something after so many milliseconds; returns what calls it off. */
  after(ms: number, run: () => void): () => void
  /** Asks the system for all addresses of a name, the best one first; calls back once. */
  find(name: string, found: Answer): void
  /** Look-ups that may be under way at once; at least 1. */
  readonly slots: number
  turned(name: string, event: NameEvent): void
  /** After every look-up that says which addresses a name has, the same ones included. */
  has(name: string, addresses: ReadonlySet<string>): void
}

/** Between two look-ups of a name, as Envoy's STRICT_DNS has it (`dns_refresh_rate`). */
export const REFRESH_MS = 5000
/** The first pause after a failed one; doubled until it is `REFRESH_MS`. */
export const RETRY_MS = 1000
/** A look-up that has taken so long is under way for a name that may be dead: nobody waits for it any more. */
export const SLOW_MS = 1000

/**
 * The addresses of names, kept in memory: who connects never waits for a look-up but the first. Names are looked up
 * again in the background, one look-up in flight each. A failed one changes nothing (`NameState`). A name whose
 * look-ups fail or hang gets all slots but one together with its like, so that they do not keep the others from theirs.
 */
export class Names {
  readonly #around: Surroundings
  readonly #names = new Map<string, NameState>()
  readonly #queue = new Set<NameState>()
  readonly #asked = new Set<NameState>()
  #started = false
  #stopped = false

  constructor(around: Surroundings) {
    this.#around = around
  }

  /** Those that are kept, and what is known of them. */
  get known(): Iterable<NameState> {
    return this.#names.values()
  }

  /** Keeps a name until it is let go as many times. It is looked up from `start` on, or when it is first asked for. */
  hold(name: string): void {
    const state = this.#stateOf(name)
    state.holders++
    if (this.#started && state.holders === 1) this.#lookUp(state)
  }

  letGo(name: string): void {
    const state = this.#stateOf(name)
    state.holders--
    this.#forgetUnheld(state)
  }

  start(): void {
    this.#started = true
    for (const state of this.#names.values()) this.#lookUp(state)
  }

  /** From now on names are looked up for those only who wait for an address. */
  stop(): void {
    this.#stopped = true
    for (const state of this.#names.values()) {
      if (this.#asked.has(state)) continue
      state.callOff()
      if (state.waiting.length === 0) this.#queue.delete(state)
    }
  }

  /** Calls back at once, unless nothing at all is known of the name yet. */
  resolve(name: string, resolved: Resolved): void {
    const state = this.#stateOf(name)
    if (state.addresses.length > 0) resolved(undefined, state.inTurn())
    else if (state.error !== undefined) resolved(state.error, [])
    else {
      state.waiting.push(resolved)
      this.#lookUp(state)
    }
  }

  #stateOf(name: string): NameState {
    let state = this.#names.get(name)
    if (state === undefined) {
      state = new NameState(name, (event) => this.#around.turned(name, event))
      this.#names.set(name, state)
    }
    return state
  }

  #forgetUnheld(state: NameState): void {
    if (state.holders > 0 || state.waiting.length > 0 || this.#asked.has(state)) return
    state.callOff()
    this.#queue.delete(state)
    this.#names.delete(state.name)
  }

  #lookUp(state: NameState): void {
    if (this.#asked.has(state) || (this.#stopped && state.waiting.length === 0)) return
    state.callOff()
    this.#queue.add(state)
    this.#next()
  }

  /** Begins as many look-ups as there is room for. */
  #next(): void {
    for (const state of this.#queue) {
      if (this.#asked.size >= this.#around.slots) return
      if (state.suspect && this.#roomForSuspects() <= 0) continue
      this.#queue.delete(state)
      this.#ask(state)
    }
  }

  #roomForSuspects(): number {
    let room = Math.max(1, this.#around.slots - 1)
    for (const { suspect } of this.#asked) if (suspect) room--
    return room
  }

  #ask(state: NameState): void {
    const { context, after, find } = this.#around
    const began = context.now()
    this.#asked.add(state)
    state.callOff = after(SLOW_MS, () => state.slow(SLOW_MS))
    find(state.name, (error, addresses) => {
      this.#asked.delete(state)
      state.callOff()
      const now = context.now()
      const has = error === null ? state.found(addresses, now) : state.failed(error, now)
      if (has !== undefined) this.#around.has(state.name, has)
      state.isSlow = false
      if (!this.#stopped) this.#lookUpAfter(state, now - began)
      this.#forgetUnheld(state)
      this.#next()
    })
  }

  #lookUpAfter(state: NameState, tookMs: number): void {
    // A resolver that is slow is given as long a rest: a dead name holds its thread half of the time at most.
    const jitter = 0.9 + 0.2 * this.#around.context.random()
    const pause = Math.min(
      REFRESH_MS,
      state.failures === 0 ? REFRESH_MS : RETRY_MS * 2 ** (state.failures - 1),
    )
    state.callOff = this.#around.after(Math.max(pause * jitter, tookMs), () => this.#lookUp(state))
  }
}
