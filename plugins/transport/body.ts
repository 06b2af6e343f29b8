import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { BodyTooLargeError, ClientLeftError } from './errors.ts'
import { trailersOf } from './trailers.ts'

const ignore = (): void => {}

/**
 * Whether what looks like the end of a body is the client's leaving. With HTTP/2 Node ends the body of a stream that is
 * reset; nothing else closes one whose answer is still due.
 */
function brokenOff(source: IncomingMessage): boolean {
  return (source as { readonly stream?: { readonly closed: boolean } }).stream?.closed === true
}

/**
 * A client's body on its way to a target, counted. It stands between the two because undici destroys what
 * it is handed when an attempt fails, and the client's own stream takes the connection with it: there would
 * be no one left to answer.
 */
export class ForwardedBody extends Readable {
  readonly #source: IncomingMessage
  readonly #limit: number
  #bytes = 0
  #listening = false
  #movedAt = 0

  constructor(source: IncomingMessage, limit: number) {
    super({ highWaterMark: 64 * 1024 })
    this.#source = source
    this.#limit = limit
    // For good: Node tells of the client's leaving a tick after it has looked who listens, and with nobody left by
    // then the process would end.
    source.on('error', ignore)
  }

  /** What the client has sent behind it, once it has ended. */
  get trailers(): Record<string, string | string[]> | undefined {
    return trailersOf(this.#source.trailers)
  }

  /** What was taken from the client so far. */
  get bytes(): number {
    return this.#bytes
  }

  /** Nothing was taken from the client yet: another attempt may start from the same source. */
  get untouched(): boolean {
    return this.#bytes === 0
  }

  /** When a piece of it, or its end, was last taken from the client; 0 is never. */
  get movedAt(): number {
    return this.#movedAt
  }

  /** There is room for more, but the client does not send it. */
  get starved(): boolean {
    return !this.destroyed && !this.#source.readableEnded && this.readableLength < this.readableHighWaterMark
  }

  override _read(): void {
    if (!this.#listening) {
      // An attempt before this one has heard the end of it: nothing came.
      if (this.#source.readableEnded) {
        this.#onEnd()
        return
      }
      this.#listen()
    }
    this.#source.resume()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (this.#listening) {
      this.#source
        .off('data', this.#onData)
        .off('end', this.#onEnd)
        .off('close', this.#onClose)
        .off('error', this.#onClose)
      // Stay where it is: whether the rest is read or the connection closed is for the answer to decide.
      this.#source.pause()
    }
    done(error)
  }

  #listen(): void {
    this.#listening = true
    this.#source
      .on('data', this.#onData)
      .on('end', this.#onEnd)
      .on('close', this.#onClose)
      .on('error', this.#onClose)
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#bytes += chunk.length
    this.#movedAt = performance.now()
    if (this.#bytes > this.#limit)
      this.destroy(new BodyTooLargeError('the body is larger than server.bodyLimit'))
    else if (!this.push(chunk)) this.#source.pause()
  }

  readonly #onEnd = (): void => {
    this.#movedAt = performance.now()
    if (brokenOff(this.#source)) this.#left()
    else this.push(null)
  }

  readonly #onClose = (): void => {
    if (!this.readableEnded && !this.#source.readableEnded) this.#left()
  }

  #left(): void {
    this.destroy(new ClientLeftError())
  }
}

/**
 * Reads a body of known length whole.
 * @param done called with the body
 * @param gone called instead if the client leaves first
 */
export function gatherBody(source: IncomingMessage, done: (body: Buffer) => void, gone: () => void): void {
  const chunks: Buffer[] = []
  const onEnd = (): void => {
    if (brokenOff(source)) return
    source.off('close', onClose)
    done(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks))
  }
  const onClose = (): void => {
    source.off('end', onEnd)
    gone()
  }
  source
    .on('data', (chunk: Buffer) => chunks.push(chunk))
    .once('end', onEnd)
    .once('close', onClose)
}
