import { BodySender } from './body-sender.ts'
import type { Connection } from './connection.ts'
import { asError, H1Error } from './errors.ts'
import { declaredLength } from './request-head.ts'
import type { RequestQueue } from './request-queue.ts'
import type { H1Controller, H1Handler, H1RequestOptions, ResponseHeaders } from './types.ts'

/** One request from its dispatch to its end. It guards that its handler hears of one end only. */
export class H1Request implements H1Controller {
  /** Where it waits, behind whom and before whom. */
  queue: RequestQueue | undefined
  before: H1Request | undefined
  next: H1Request | undefined
  /** Its handler has heard of the end, or is just hearing it. */
  over = false
  readonly head: string
  readonly bodyless: boolean
  /** Sent along with the head. */
  readonly buffer: Buffer | undefined
  readonly sender: BodySender | undefined
  readonly #handler: H1Handler
  #connection: Connection | undefined
  #started = false

  constructor(head: string, { method, headers, body }: H1RequestOptions, handler: H1Handler) {
    this.head = head
    this.bodyless = method === 'HEAD'
    this.#handler = handler
    if (Buffer.isBuffer(body)) this.buffer = body
    else if (body !== null) this.sender = new BodySender(body, declaredLength(headers), this, headers)
  }

  abort(reason: Error = new H1Error('UND_ERR_ABORTED', 'The request was aborted')): void {
    if (this.over) return
    this.#connection?.drop()
    this.fail(reason)
  }

  pause(): void {
    if (!this.over) this.#connection?.pause()
  }

  resume(): void {
    if (!this.over) this.#connection?.resume()
  }

  /** Ends it with an error; the connection is the caller's to close. */
  fail(error: Error): void {
    if (this.over) return
    this.over = true
    this.#connection = undefined
    this.queue?.remove(this)
    this.sender?.stop()
    try {
      this.#handler.onResponseError(this.#started ? this : undefined, error)
    } catch (thrown) {
      warn(thrown)
    }
  }

  /** It waits for a connection. */
  queued(): void {
    try {
      this.#handler.onRequestQueued?.(this)
    } catch (thrown) {
      this.fail(asError(thrown))
    }
  }

  /** @returns false if it is not to be sent: it was aborted before anything was written */
  start(connection: Connection): boolean {
    this.#started = true
    try {
      this.#handler.onRequestStart(this)
    } catch (thrown) {
      this.fail(asError(thrown))
    }
    if (this.over) return false
    this.#connection = connection
    return true
  }

  answer(status: number, headers: ResponseHeaders): void {
    try {
      this.#handler.onResponseStart(this, status, headers)
    } catch (thrown) {
      this.abort(asError(thrown))
    }
  }

  data(chunk: Buffer): void {
    try {
      this.#handler.onResponseData(this, chunk)
    } catch (thrown) {
      this.abort(asError(thrown))
    }
  }

  /** @returns false if the handler failed to take it */
  end(trailers: ResponseHeaders): boolean {
    this.over = true
    this.#connection = undefined
    this.sender?.stop()
    try {
      this.#handler.onResponseEnd(this, trailers)
      return true
    } catch (thrown) {
      warn(thrown)
      return false
    }
  }
}

/** A handler failed in hearing of the end: there is no other call left that would tell it so. */
function warn(thrown: unknown): void {
  process.emitWarning(asError(thrown))
}
