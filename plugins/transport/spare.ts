import type { Attempt } from './attempt.ts'
import type { Watched } from './deadlines.ts'
import type { Route } from './route.ts'

/** An attempt that has begun meanwhile has this much time (ms) to do better, or twice what most answers take, */
const LEAST_MS = 1000
/** but not more than this; and this much where nobody knows what they take. */
const MOST_MS = 10_000

type Body = Buffer | string | null

/** Whom a spare answer belongs to. */
export interface SpareOwner {
  /** How long (ms) the newest attempt under way has been so; 0 if none is. */
  underWayMs(now: number): number
  /** What most answers take (ms); undefined if that is not known. */
  usualMs(): number | undefined
  /** The client gets this one. */
  commit(attempt: Attempt, body: Body): void
  /** It is all that there is, though it is not whole yet. */
  resume(attempt: Attempt): void
}

/**
 * An error that a target has answered, while another attempt is made that may do better. If that one fails, or takes too
 * long, the client gets this, and not silence. One that is not gathered whole is let go.
 */
export class Spare implements Watched {
  deadline: number
  place = -1
  readonly #owner: SpareOwner
  readonly #attempt: Attempt
  readonly #route: Pick<Route, 'deadlines' | 'bodyMemory'>
  /** Undefined until it is whole. */
  #body: Body | undefined
  #size = 0

  constructor(owner: SpareOwner, attempt: Attempt, route: Pick<Route, 'deadlines' | 'bodyMemory'>) {
    this.#owner = owner
    this.#attempt = attempt
    this.#route = route
    this.deadline = performance.now() + this.#patience
    route.deadlines.watch(this)
  }

  /** It is whole, and the client can have it. */
  get kept(): boolean {
    return this.place !== -1 && this.#body !== undefined
  }

  /** It is whole. @returns false if that is another attempt's answer */
  whole(attempt: Attempt, body: Body): boolean {
    if (!this.#is(attempt)) return false
    const size = body?.length ?? 0
    if (this.#route.bodyMemory.take(size)) {
      this.#body = body
      this.#size = size
      if (this.deadline === Number.POSITIVE_INFINITY) this.falls()
    } else this.drop()
    return true
  }

  /** It will not be whole, or not in time. @returns false if that is another attempt's answer */
  fails(attempt: Attempt): boolean {
    if (!this.#is(attempt)) return false
    this.drop()
    return true
  }

  /** Nothing better will come. @returns false if there is nothing left of it */
  falls(): boolean {
    if (this.place === -1) return false
    const body = this.#body
    this.#end()
    if (body === undefined) this.#owner.resume(this.#attempt)
    else this.#owner.commit(this.#attempt, body)
    return true
  }

  drop(): void {
    if (this.place === -1) return
    this.#end()
    this.#attempt.abandon()
  }

  /** Watched. */
  expired(now: number): void {
    const left = this.#patience - this.#owner.underWayMs(now)
    this.deadline = left > 0 ? now + left : Number.POSITIVE_INFINITY
    if (left <= 0 && this.kept) this.falls()
  }

  get #patience(): number {
    return Math.min(MOST_MS, Math.max(LEAST_MS, 2 * (this.#owner.usualMs() ?? MOST_MS)))
  }

  /** One that is all that there is, or is not wanted any more, is none. */
  #is(attempt: Attempt): boolean {
    return attempt === this.#attempt && this.place !== -1
  }

  #end(): void {
    this.#route.deadlines.unwatch(this)
    this.#route.bodyMemory.giveBack(this.#size)
    this.#size = 0
  }
}
