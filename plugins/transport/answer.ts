import { Readable } from 'node:stream'

/** What a stream needs of the attempt that feeds it. */
export interface AnswerSource {
  resume(): void
  /** The client wants no more. */
  cancel(): void
}

/** A response body too large or too slow to be gathered, passed on piece by piece with backpressure. */
export class AnswerStream extends Readable {
  readonly #source: AnswerSource
  #whole = false

  constructor(source: AnswerSource) {
    super({ highWaterMark: 64 * 1024 })
    this.#source = source
  }

  finish(): void {
    this.#whole = true
    this.push(null)
  }

  override _read(): void {
    this.#source.resume()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (!this.#whole) this.#source.cancel()
    done(error)
  }
}
