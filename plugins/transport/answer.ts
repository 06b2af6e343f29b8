import type { ServerResponse } from 'node:http'
import { Readable } from 'node:stream'

const STREAMING =
  /^(?:text\/event-stream|application\/(?:grpc|x-ndjson|stream\+json)|multipart\/x-mixed-replace)/

/** Whether the pieces of a body of this type are worth something one by one: they are passed on at once. */
export function comesInPieces(contentType: string | string[] | undefined): boolean {
  return typeof contentType === 'string' && STREAMING.test(contentType)
}

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
    // It may break before anyone reads it, while a hook still looks at the head: that must not end the process.
    this.on('error', () => {})
  }

  finish(): void {
    this.#whole = true
    this.push(null)
  }

  /** Where nothing of the body has come, the head goes out alone: an event stream may be silent for long. */
  override pipe<T extends NodeJS.WritableStream>(to: T, options?: { end?: boolean }): T {
    const response = to as T & Partial<ServerResponse>
    if (response.flushHeaders !== undefined && this.readableLength === 0) {
      setImmediate(() => {
        if (!this.destroyed && !response.headersSent) response.flushHeaders?.()
      })
    }
    return super.pipe(to, options)
  }

  override _read(): void {
    this.#source.resume()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (!this.#whole) this.#source.cancel()
    done(error)
  }
}
