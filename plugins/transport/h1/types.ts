import type { OnReadOpts, Socket } from 'node:net'
import type { Readable } from 'node:stream'

/** Lower-case names; a name that came more than once has its values in a list, in their order. */
export type ResponseHeaders = Record<string, string | string[]>

/** What a handler may do to its request. All of it does nothing once the request is over. */
export interface H1Controller {
  /** Ends the request and its connection; the handler's `onResponseError` hears of it before this returns. */
  abort(reason?: Error): void
  /** No more is delivered, not even of what was read already, until `resume`. */
  pause(): void
  resume(): void
}

/**
 * Whom a request reports to: the part of undici's handler that the gateway uses. Exactly one of
 * `onResponseEnd` and `onResponseError` is called, once.
 */
export interface H1Handler {
  /** It waits for a connection, and may be aborted from now on. Not part of undici's handler. */
  onRequestQueued?(controller: H1Controller): void
  /** There is a connection, and the next thing is that bytes are written. Aborted here, nothing is written. */
  onRequestStart(controller: H1Controller): void
  /** Once for the answer, and before it once for each 1xx. */
  onResponseStart(controller: H1Controller, status: number, headers: ResponseHeaders): void
  onResponseData(controller: H1Controller, chunk: Buffer): void
  onResponseEnd(controller: H1Controller, trailers: ResponseHeaders): void
  /** Without a controller if the request never had a connection. */
  onResponseError(controller: H1Controller | undefined, error: Error): void
}

export interface H1RequestOptions {
  readonly path: string
  readonly method: string
  /** name, value, name, value; `host` among them, none of the connection's own. */
  readonly headers: readonly string[]
  readonly body: Buffer | Readable | null
}

export interface H1PoolOptions {
  /**
   * Begins a connection: `net.connect({ ..., onread })` or `tls.connect({ ... })`. With `onread` the bytes
   * skip the socket's stream, which is cheaper; a socket that was not given it works as well.
   */
  readonly connect: (onread: OnReadOpts) => Socket
  /** The socket is usable at `secureConnect`, not at `connect`. */
  readonly secure: boolean
  readonly connections: number
  /** Milliseconds that an idle connection is kept; the target's `Keep-Alive: timeout` may shorten it. */
  readonly keepAliveTimeout: number
  /** Bytes of a response head, and of a trailer section. */
  readonly maxHeaderSize: number
  /** Milliseconds; 0 is none. */
  readonly connectTimeout: number
}

export interface H1Stats {
  /** Established connections, `free` and `running` ones. */
  readonly connected: number
  readonly free: number
  readonly running: number
  /** Requests that wait for a connection. */
  readonly queued: number
}
