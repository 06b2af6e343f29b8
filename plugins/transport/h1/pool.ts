import { Connection } from './connection.ts'
import type { ConnectionOwner } from './connection-owner.ts'
import { asError, H1Error } from './errors.ts'
import { FieldNames } from './fields.ts'
import { H1Request } from './request.ts'
import { RequestHeads } from './request-head.ts'
import { RequestQueue } from './request-queue.ts'
import type { H1Handler, H1PoolOptions, H1RequestOptions, H1Stats } from './types.ts'

const READ_BUFFER = 64 * 1024
const SHORTEST_SWEEP = 50
const LONGEST_SWEEP = 1000

/** HTTP/1.1 connections to one origin: one request at a time on each, the others wait in their order. */
export class H1Pool implements ConnectionOwner {
  readonly names = new FieldNames()
  readonly buffer = Buffer.allocUnsafeSlow(READ_BUFFER)
  readonly maxHeaderSize: number
  readonly keepAliveTimeout: number
  readonly #options: H1PoolOptions
  readonly #heads = new RequestHeads()
  readonly #queue = new RequestQueue()
  readonly #connections = new Set<Connection>()
  /** The one that was used last is at the end, and is used first. */
  readonly #free: Connection[] = []
  #connecting = 0
  #sendPlanned = false
  #sweep: NodeJS.Timeout | undefined
  #state: 'open' | 'closing' | 'destroyed' = 'open'
  #whenIdle: (() => void)[] = []

  constructor(options: H1PoolOptions) {
    this.#options = options
    this.maxHeaderSize = options.maxHeaderSize
    this.keepAliveTimeout = options.keepAliveTimeout
  }

  get stats(): H1Stats {
    const connected = this.#connections.size - this.#connecting
    const free = this.#free.length
    return { connected, free, running: connected - free, queued: this.#queue.size }
  }

  /** Sends a request, or lets it wait. A request that is invalid, or too late, fails before this returns. */
  dispatch(options: H1RequestOptions, handler: H1Handler): void {
    let request: H1Request
    try {
      if (this.#state === 'closing') throw new H1Error('UND_ERR_CLOSED', 'The pool is closed')
      if (this.#state === 'destroyed') throw destroyed()
      request = new H1Request(this.#heads.write(options), options, handler)
    } catch (error) {
      const { body } = options
      if (body !== null && !Buffer.isBuffer(body)) body.on('error', () => {}).destroy()
      handler.onResponseError(undefined, asError(error))
      return
    }
    if (request.sender?.broken) {
      request.abort(new H1Error('UND_ERR_ABORTED', 'the body ended before its end'))
      return
    }
    this.#queue.push(request)
    request.queued()
    this.#connect()
    this.#planSend()
  }

  /** Retires connections to other addresses than these: idle ones at once, the others when their answer is there. */
  keepOnly(addresses: ReadonlySet<string>): void {
    for (const connection of this.#connections) {
      if (connection.ready) connection.retired = !addresses.has(connection.socket.remoteAddress ?? '')
    }
    for (const connection of this.#free.filter(({ retired }) => retired)) connection.drop()
  }

  /** Takes no more requests. Resolves when those that it has are over and the connections are closed. */
  close(): Promise<void> {
    if (this.#state === 'open') this.#state = 'closing'
    return new Promise((resolve) => {
      this.#whenIdle.push(resolve)
      this.#checkIdle()
    })
  }

  /** Ends everything now. */
  destroy(): Promise<void> {
    this.#state = 'destroyed'
    for (const connection of [...this.#connections]) connection.close(destroyed())
    this.#queue.fail(destroyed())
    return this.close()
  }

  /** ConnectionOwner */
  freed(connection: Connection): void {
    if (connection.retired) {
      connection.drop()
      return
    }
    this.#free.push(connection)
    this.#planSend()
    this.#sweep ??= setTimeout(this.#closeExpired, this.#sweepMs).unref()
    if (this.#state !== 'open') this.#checkIdle()
  }

  /** ConnectionOwner */
  lost(connection: Connection, error: Error): void {
    this.#connections.delete(connection)
    if (connection.ready) {
      connection.ready = false
      const at = this.#free.lastIndexOf(connection)
      if (at !== -1) this.#free.splice(at, 1)
    } else {
      this.#connecting--
      // It was opened for one of those that wait; and if no other can come free, for all of them.
      if (this.#connections.size === 0) this.#queue.fail(error)
      else this.#queue.shift()?.fail(error)
    }
    // Those who still wait have room now; each failure takes one of them along, so that this comes to an end.
    if (this.#state !== 'destroyed') this.#connect()
    if (this.#state !== 'open') this.#checkIdle()
  }

  /** Opens as many connections as the waiting requests need. */
  #connect(): void {
    const missing = this.#queue.size - this.#free.length - this.#connecting
    const room = this.#options.connections - this.#connections.size
    for (let count = Math.min(missing, room); count > 0; count--) this.#open()
  }

  #open(): void {
    const { connect, connectTimeout, secure } = this.#options
    let connection: Connection
    try {
      connection = new Connection(this, connect)
    } catch (error) {
      // Told later: whoever dispatches does not expect to hear of connections before that returns.
      process.nextTick(() => {
        this.#queue.shift()?.fail(asError(error))
        this.#connect()
      })
      return
    }
    this.#connections.add(connection)
    this.#connecting++
    const late = (): void =>
      connection.close(new H1Error('UND_ERR_CONNECT_TIMEOUT', `Connect Timeout Error (${connectTimeout} ms)`))
    const timer = connectTimeout === 0 ? undefined : setTimeout(late, connectTimeout)
    connection.socket
      .once('close', () => clearTimeout(timer))
      .once(secure ? 'secureConnect' : 'connect', () => {
        clearTimeout(timer)
        if (!this.#connections.has(connection)) return
        this.#connecting--
        connection.established()
        connection.expires = performance.now() + this.keepAliveTimeout
        // Nothing can have been left on it: the first request need not wait.
        if (!this.#sendOn(connection)) this.freed(connection)
      })
  }

  /**
   * Requests go out on used connections once all sockets have been looked at for what is there: an end, or
   * bytes that nobody asked for and that would be taken for the answer (GHSA-35p6-xmwp-9g52 of undici).
   */
  #planSend(): void {
    if (this.#sendPlanned || this.#queue.size === 0 || this.#free.length === 0) return
    this.#sendPlanned = true
    setImmediate(this.#send)
  }

  readonly #send = (): void => {
    this.#sendPlanned = false
    while (this.#queue.size > 0) {
      const connection = this.#free.pop()
      if (connection === undefined) break
      const { socket, expires } = connection
      if (expires <= performance.now() || !socket.writable || socket.readableEnded) connection.drop()
      else if (!this.#sendOn(connection)) this.freed(connection)
    }
    this.#connect()
  }

  /** @returns false if no request wanted it */
  #sendOn(connection: Connection): boolean {
    for (;;) {
      const request = this.#queue.shift()
      if (request === undefined) return !connection.ready
      if (!request.over && connection.send(request)) return true
    }
  }

  readonly #closeExpired = (): void => {
    const now = performance.now()
    for (const connection of this.#free.filter(({ expires }) => expires <= now)) connection.drop()
    this.#sweep = this.#free.length === 0 ? undefined : setTimeout(this.#closeExpired, this.#sweepMs).unref()
  }

  get #sweepMs(): number {
    return Math.min(LONGEST_SWEEP, Math.max(SHORTEST_SWEEP, this.keepAliveTimeout / 4))
  }

  #checkIdle(): void {
    if (this.#queue.size > 0 || this.stats.running > 0) return
    for (const connection of [...this.#connections]) connection.drop()
    if (this.#connections.size > 0) return
    clearTimeout(this.#sweep)
    for (const resolve of this.#whenIdle.splice(0)) resolve()
  }
}

function destroyed(): H1Error {
  return new H1Error('UND_ERR_DESTROYED', 'The pool is destroyed')
}
