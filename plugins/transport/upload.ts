import type { ForwardedBody } from './body.ts'
import { type Crowd, type Laggard, WATCHED_FOR } from './crowd.ts'

interface UploadOwner {
  readonly startedAt: number
  giveWay(): void
}

/** A client's body on its way to a target, as far as the client may be slow with it. */
export class Upload implements Laggard {
  place = -1
  readonly #body: ForwardedBody
  readonly #crowd: Crowd
  readonly #attempt: UploadOwner

  constructor(body: ForwardedBody, crowd: Crowd, attempt: UploadOwner) {
    this.#body = body
    this.#crowd = crowd
    this.#attempt = attempt
    crowd.add(this)
    // undici destroys it with an error when its request is ended before it began, and listens no more by then: that
    // must not end the process.
    body.on('error', () => {})
  }

  /** When the target last took a piece of it; now, while it is the client that is slow. */
  takenAt(now: number): number {
    return this.#body.starved ? now : this.#body.movedAt
  }

  pace(now: number): number {
    const watched = now - this.#attempt.startedAt
    return this.#body.starved && watched >= WATCHED_FOR
      ? (1000 * this.#body.bytes) / watched
      : Number.POSITIVE_INFINITY
  }

  giveWay(): void {
    this.#attempt.giveWay()
  }

  end(): void {
    this.#crowd.remove(this)
  }
}
