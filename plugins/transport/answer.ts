import type { ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { announcedTrailers, mayHaveTrailers } from './trailers.ts'

const STREAMING =
  /^(?:text\/event-stream|application\/(?:grpc|x-ndjson|stream\+json)|multipart\/x-mixed-replace)/

/** Whether the pieces of a body of this type are worth something one by one: they are passed on at once. */
export function comesInPieces(contentType: string | string[] | undefined): boolean {
  return typeof contentType === 'string' && STREAMING.test(contentType)
}

type Trailers = Record<string, string | string[]>

/** Whether there will be room behind the body: with HTTP/1.1 only if it is sent in chunks. */
function takesTrailers(response: ServerResponse): boolean {
  const { req, statusCode } = response
  if (!mayHaveTrailers(req.method ?? '', statusCode)) return false
  return req.httpVersionMajor === 2 || (req.httpVersion === '1.1' && !response.hasHeader('content-length'))
}

/** What a stream needs of the attempt that feeds it. */
export interface AnswerSource {
  resume(): void
  /** The client side takes what comes from now on, or has enough for the moment. */
  flows(on: boolean): void
  /** The client wants no more. */
  cancel(): void
}

/** A response body too large or too slow to be gathered, passed on piece by piece with backpressure. */
export class AnswerStream extends Readable {
  readonly #source: AnswerSource
  readonly #announced: string | string[] | undefined
  #whole = false
  #response: ServerResponse | undefined
  #trailers: Trailers | undefined

  /** @param announced the target's Trailer header */
  constructor(source: AnswerSource, announced?: string | string[]) {
    super({ highWaterMark: 64 * 1024 })
    this.#source = source
    this.#announced = announced
    // It may break before anyone reads it, while a hook still looks at the head: that must not end the process.
    this.on('error', () => {})
  }

  /** @param trailers go out behind the body, unless something stands between: then it is another body */
  finish(trailers?: Trailers): void {
    this.#whole = true
    this.#trailers = trailers
    const response = this.#response
    if (trailers !== undefined && response !== undefined) this.#try(() => this.#trail(response, trailers))
    this.push(null)
  }

  /** Where nothing of the body has come, the head goes out alone: an event stream may be silent for long. */
  override pipe<T extends NodeJS.WritableStream>(to: T, options?: { end?: boolean }): T {
    const response = to as T & Partial<ServerResponse>
    if (response.addTrailers !== undefined)
      this.#try(() => this.#answers(response as unknown as ServerResponse))
    if (response.flushHeaders !== undefined && this.readableLength === 0) {
      setImmediate(() => {
        if (!this.destroyed && !response.headersSent) this.#try(() => response.flushHeaders?.())
      })
    }
    return super.pipe(to, options)
  }

  /** Whoever pipes it says so when his side is full, and when it has drained. */
  override pause(): this {
    this.#source.flows(false)
    return super.pause()
  }

  override resume(): this {
    this.#source.flows(true)
    return super.resume()
  }

  /** What cannot be sent breaks this answer: nobody else is there to hear of it, and the process would end. */
  #try(send: () => void): void {
    try {
      send()
    } catch (error) {
      this.destroy(error as Error)
    }
  }

  #answers(response: ServerResponse): void {
    this.#response = response
    const names = this.#announced === undefined ? undefined : announcedTrailers(this.#announced)
    if (names !== undefined && !response.headersSent && takesTrailers(response)) {
      response.setHeader('trailer', names)
    }
    if (this.#trailers !== undefined) this.#trail(response, this.#trailers)
  }

  #trail(response: ServerResponse, trailers: Trailers): void {
    // Where there is no room for them, Node leaves them out.
    response.addTrailers(trailers as Record<string, string>)
    // With no body before its end, Node would say that its length is nothing.
    if (this.readableLength === 0 && !response.headersSent) response.flushHeaders()
  }

  override _read(): void {
    this.#source.resume()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (!this.#whole) this.#source.cancel()
    done(error)
  }
}
