import type { OnReadOpts, Socket } from 'node:net'
import type { ConnectionOwner } from './connection-owner.ts'
import { asError, H1Error } from './errors.ts'
import type { H1Request } from './request.ts'
import type { ResponseHead } from './response-head.ts'
import { ResponseParser, type ResponseSink } from './response-parser.ts'
import type { ResponseHeaders } from './types.ts'

/** Up to this size, head and body leave as one string: node writes one of 16 KiB without an allocation. */
const ONE_WRITE = 16 * 1024
/** A target that closes idle connections after N seconds is not trusted with the last of them. */
const KEEP_ALIVE_MARGIN = 1000

/** A connection to the target, and the one request on it. */
export class Connection implements ResponseSink {
  /** Established and not closed. */
  ready = false
  /** The target is somewhere else by now: its request is the last one. */
  retired = false
  /** Free until then, on the clock of `performance.now`. */
  expires = 0
  readonly socket: Socket
  readonly #owner: ConnectionOwner
  readonly #parser: ResponseParser
  #request: H1Request | undefined
  #lost = false
  #keepAlive = false
  #idleMs = 0
  /** What is read but not delivered yet. */
  #held: Buffer | undefined
  #reading = false
  /** The bytes at hand are in the shared buffer. */
  #shared = false

  constructor(owner: ConnectionOwner, connect: (onread: OnReadOpts) => Socket) {
    this.#owner = owner
    this.#parser = new ResponseParser(this, owner.names, owner.maxHeaderSize)
    const onread: OnReadOpts = {
      buffer: owner.buffer,
      callback: (size, bytes) => {
        this.#read(bytes as Buffer, size, true)
        return true
      },
    }
    this.socket = connect(onread)
      .on('data', (chunk: Buffer) => this.#read(chunk, chunk.length, false))
      .on('end', () => this.#ended(new H1Error('UND_ERR_SOCKET', 'other side closed')))
      .on('error', (error) => this.close(error))
      .on('close', () => this.#ended(new H1Error('UND_ERR_SOCKET', 'closed')))
  }

  established(): void {
    this.ready = true
    this.socket.setNoDelay(true)
    this.socket.setKeepAlive(true, 60_000)
  }

  /** @returns false if the request did not want to be sent; the connection is as free as before */
  send(request: H1Request): boolean {
    if (!request.start(this)) return false
    if (this.#lost) {
      request.fail(new H1Error('UND_ERR_DESTROYED', 'closed before anything was sent'))
      return true
    }
    this.#request = request
    this.#parser.begin(request.bodyless)
    const { socket } = this
    const { head, buffer, sender } = request
    if (buffer === undefined) socket.write(head, 'latin1')
    else if (head.length + buffer.length <= ONE_WRITE)
      socket.write(head + buffer.toString('latin1'), 'latin1')
    else {
      socket.cork()
      socket.write(head, 'latin1')
      socket.write(buffer)
      socket.uncork()
    }
    sender?.start(socket)
    return true
  }

  pause(): void {
    this.#parser.paused = true
    this.socket.pause()
  }

  resume(): void {
    if (!this.#parser.paused) return
    this.#parser.paused = false
    this.socket.resume()
    // Within a read, the read goes on by itself.
    if (!this.#reading) this.#readHeld()
  }

  /** Closes it without a word to its request. */
  drop(error: Error = new H1Error('UND_ERR_INFO', 'closed')): H1Request | undefined {
    if (this.#lost) return undefined
    this.#lost = true
    const request = this.#request
    this.#request = undefined
    this.#held = undefined
    this.#parser.stop()
    this.socket.destroy()
    this.#owner.lost(this, error)
    return request
  }

  /** Closes it, and with it ends its request. */
  close(error: Error): void {
    this.drop(error)?.fail(error)
  }

  onHead({ status, headers, keepAlive, keepAliveSeconds }: ResponseHead): void {
    if (status >= 200) {
      const own = this.#owner.keepAliveTimeout
      this.#idleMs =
        keepAliveSeconds === -1 ? own : Math.min(own, keepAliveSeconds * 1000 - KEEP_ALIVE_MARGIN)
      this.#keepAlive = keepAlive && this.#idleMs > 0
    }
    this.#request?.answer(status, headers)
  }

  onBody(bytes: Buffer, start: number, end: number): void {
    let chunk: Buffer
    if (this.#shared) {
      chunk = Buffer.allocUnsafe(end - start)
      bytes.copy(chunk, 0, start, end)
    } else chunk = bytes.subarray(start, end)
    this.#request?.data(chunk)
  }

  onEnd(trailers: ResponseHeaders, more: boolean): void {
    const request = this.#request as H1Request
    this.#request = undefined
    // What the target may still have to read would be in the way of the next request.
    const sent = (request.sender?.sent ?? true) && this.socket.writableLength === 0
    const reusable = this.#keepAlive && sent && !more
    if (!reusable) this.drop()
    if (!request.end(trailers)) this.drop()
    if (this.#lost) return
    this.expires = performance.now() + this.#idleMs
    this.#owner.freed(this)
  }

  #read(bytes: Buffer, size: number, shared: boolean): void {
    if (this.#lost) return
    if (this.#request === undefined) {
      // Nobody asked: whatever this is, it must not become the answer to the next request.
      this.close(new H1Error('UND_ERR_SOCKET', 'unexpected data on an idle connection'))
      return
    }
    if (this.#held !== undefined || this.#parser.paused) this.#hold(bytes.subarray(0, size))
    else this.#parse(bytes, size, shared)
  }

  #parse(bytes: Buffer, size: number, shared: boolean): void {
    this.#shared = shared
    this.#reading = true
    try {
      const at = this.#parser.read(bytes, 0, size)
      if (at < size && this.#request !== undefined) this.#hold(bytes.subarray(at, size))
    } catch (error) {
      this.close(asError(error))
    } finally {
      this.#reading = false
    }
  }

  #hold(bytes: Buffer): void {
    this.#held = this.#held === undefined ? Buffer.from(bytes) : Buffer.concat([this.#held, bytes])
  }

  #readHeld(): void {
    const held = this.#held ?? Buffer.alloc(0)
    this.#held = undefined
    this.#parse(held, held.length, false)
  }

  /** The target will send no more. Backpressure ends with that: what is held is all there will be. */
  #ended(error: Error): void {
    while (this.#parser.paused && this.#request !== undefined) {
      this.#parser.paused = false
      this.#readHeld()
    }
    if (this.#request === undefined || !this.#parser.finish()) this.close(error)
  }
}
