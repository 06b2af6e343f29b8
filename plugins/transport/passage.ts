import type { Dispatcher } from 'undici'
import { type AnswerSource, AnswerStream } from './answer.ts'
import { type Crowd, type Laggard, WATCHED_FOR } from './crowd.ts'

/** What a passage needs of the attempt that it belongs to. */
export interface PassageOwner {
  /** The target is waited for again. */
  moved(): void
  /** For so long (ms) the target was what the client waited for. */
  waited(milliseconds: number): void
  abandon(): void
  giveWay(): void
}

/** An answer on its way from a target to the client, with backpressure. */
export class Passage implements AnswerSource, Laggard {
  readonly stream: AnswerStream
  place = -1
  /** The client has not taken yet what there is. */
  paused = false
  readonly #owner: PassageOwner
  readonly #controller: Dispatcher.DispatchController | undefined
  readonly #crowd: Crowd
  /** When the client was waited for first, and what it has taken since. */
  #since = 0
  #taken = 0
  /** Since when the client side takes whatever comes; 0 while it does not. */
  #flowsSince = 0
  #over = false

  /** @param announced the target's Trailer header */
  constructor(
    owner: PassageOwner,
    controller: Dispatcher.DispatchController | undefined,
    crowd: Crowd,
    announced: string | string[] | undefined,
  ) {
    this.#owner = owner
    this.#controller = controller
    this.#crowd = crowd
    this.stream = new AnswerStream(this, announced)
  }

  push(chunk: Buffer): void {
    this.#taken += chunk.length
    if (this.stream.push(chunk)) return
    this.#controller?.pause()
    this.paused = true
    if (this.place !== -1) return
    this.#since = performance.now()
    this.#taken = 0
    this.#crowd.add(this)
  }

  /** AnswerSource: the client has taken what there was. */
  resume(): void {
    if (!this.paused) return
    this.paused = false
    // The target could not have sent anything until now.
    this.#owner.moved()
    this.#controller?.resume()
  }

  /** AnswerSource. */
  flows(on: boolean): void {
    if (this.#over) return
    const now = performance.now()
    if (!on) this.#waited(now)
    else if (this.#flowsSince === 0) this.#flowsSince = now
  }

  /** AnswerSource: the client wants no more. */
  cancel(): void {
    this.#owner.abandon()
  }

  pace(now: number): number {
    const watched = now - this.#since
    return this.paused && watched >= WATCHED_FOR ? (1000 * this.#taken) / watched : Number.POSITIVE_INFINITY
  }

  giveWay(): void {
    this.#owner.giveWay()
  }

  end(): void {
    this.#crowd.remove(this)
    this.#waited(performance.now())
    this.#over = true
  }

  #waited(now: number): void {
    if (this.#flowsSince > 0) this.#owner.waited(now - this.#flowsSince)
    this.#flowsSince = 0
  }
}
