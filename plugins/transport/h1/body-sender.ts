import type { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { isText, isToken } from './characters.ts'
import { asError, H1Error } from './errors.ts'
import type { ResponseHeaders } from './types.ts'

/** Whom a sender tells that the body cannot be sent as it was promised. */
interface BodyOwner {
  abort(reason: Error): void
}

/** A body may have trailers, to be read when it has ended; lower-case names. */
type WithTrailers = Readable & { readonly trailers?: ResponseHeaders | undefined }

/** Sends a stream as a request's body: exactly as many bytes as declared, or else in chunks. */
export class BodySender {
  /** All of the body is with the socket. */
  sent = false
  readonly #body: Readable
  /** Or -1: in chunks. */
  readonly #length: number
  readonly #owner: BodyOwner
  readonly #headers: readonly string[]
  #socket: Socket | undefined
  #bytes = 0
  #stopped = false

  /** @param headers of the request: name, value, name, value */
  constructor(body: Readable, length: number, owner: BodyOwner, headers: readonly string[] = []) {
    this.#body = body
    this.#length = length
    this.#owner = owner
    this.#headers = headers
    // From the beginning, and for good: an error that nobody listens to ends the process.
    body.on('error', this.#onError).on('close', this.#onClose)
  }

  /** The body cannot be read any more. */
  get broken(): boolean {
    return this.#body.destroyed && !this.#body.readableEnded
  }

  start(socket: Socket): void {
    this.#socket = socket
    const body = this.#body
    if (body.readableEnded) {
      this.#onEnd()
      return
    }
    socket.on('drain', this.#onDrain)
    body.on('data', this.#onData).on('end', this.#onEnd)
    body.resume()
  }

  /** Sends no more; the body is ended unless all of it was read. */
  stop(): void {
    if (this.#stopped) return
    this.#stopped = true
    this.#socket?.off('drain', this.#onDrain)
    this.#body.off('data', this.#onData).off('end', this.#onEnd)
    this.#body.destroy()
  }

  readonly #onData = (data: unknown): void => {
    const chunk = typeof data === 'string' ? Buffer.from(data) : data
    if (!(chunk instanceof Uint8Array)) {
      this.#owner.abort(new H1Error('UND_ERR_INVALID_ARG', 'a body is made of bytes'))
      return
    }
    if (chunk.length === 0) return
    const socket = this.#socket as Socket
    this.#bytes += chunk.length
    let room: boolean
    if (this.#length === -1) {
      socket.cork()
      socket.write(`${chunk.length.toString(16)}\r\n`, 'latin1')
      socket.write(chunk)
      room = socket.write('\r\n', 'latin1')
      socket.uncork()
    } else if (this.#bytes > this.#length) {
      this.#mismatch()
      return
    } else {
      room = socket.write(chunk)
      this.sent = this.#bytes === this.#length
    }
    if (!room) this.#body.pause()
  }

  readonly #onDrain = (): void => {
    this.#body.resume()
  }

  readonly #onEnd = (): void => {
    if (this.#length === -1) this.#socket?.write(this.#end(), 'latin1')
    else if (this.#bytes !== this.#length) {
      this.#mismatch()
      return
    }
    this.sent = true
  }

  readonly #onError = (error: unknown): void => {
    if (!this.#stopped) this.#owner.abort(asError(error))
  }

  readonly #onClose = (): void => {
    if (!this.#stopped && !this.#body.readableEnded) {
      this.#owner.abort(new H1Error('UND_ERR_ABORTED', 'the body ended before its end'))
    }
  }

  /** The last chunk and the trailers. What the head has said is not said anew: a target may merge the two. */
  #end(): string {
    const { trailers } = this.#body as WithTrailers
    let lines = ''
    for (const name in trailers) {
      if (!isToken(name) || this.#headers.some((header, i) => i % 2 === 0 && header.toLowerCase() === name)) {
        continue
      }
      for (const value of [trailers[name] ?? []].flat()) if (isText(value)) lines += `${name}: ${value}\r\n`
    }
    return `0\r\n${lines}\r\n`
  }

  #mismatch(): void {
    this.#owner.abort(
      new H1Error(
        'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH',
        'Request body length does not match content-length header',
      ),
    )
  }
}
