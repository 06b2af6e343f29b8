import { connect, createServer, type Server, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { H1Pool } from '../../../plugins/transport/h1/pool.ts'
import type {
  H1Controller,
  H1Handler,
  H1PoolOptions,
  H1RequestOptions,
  ResponseHeaders,
} from '../../../plugins/transport/h1/types.ts'
import { portFor } from '../../support/ports.ts'

type Cleanup = Pick<TestContext, 'after'>
export type Fault = Error & { code?: string }

/** A handler that writes down what it hears; `over` resolves at the first end. */
export class Recorder implements H1Handler {
  starts = 0
  status = 0
  headers: ResponseHeaders = {}
  informational: number[] = []
  chunks: Buffer[] = []
  trailers: ResponseHeaders | undefined
  error: Fault | undefined
  controller: H1Controller | undefined
  /** Calls of onResponseEnd and onResponseError. */
  ends = 0
  readonly over: Promise<this>
  #tell: (self: this) => void = () => {}

  constructor(on: Partial<H1Handler> = {}) {
    this.over = new Promise((resolve) => {
      this.#tell = resolve
    })
    this.on = on
  }

  readonly on: Partial<H1Handler>

  get body(): string {
    return Buffer.concat(this.chunks).toString('latin1')
  }

  onRequestStart(controller: H1Controller): void {
    this.starts++
    this.controller = controller
    this.on.onRequestStart?.(controller)
  }

  onResponseStart(controller: H1Controller, status: number, headers: ResponseHeaders): void {
    if (status < 200) this.informational.push(status)
    else {
      this.status = status
      this.headers = headers
    }
    this.on.onResponseStart?.(controller, status, headers)
  }

  onResponseData(controller: H1Controller, chunk: Buffer): void {
    this.chunks.push(chunk)
    this.on.onResponseData?.(controller, chunk)
  }

  onResponseEnd(controller: H1Controller, trailers: ResponseHeaders): void {
    this.ends++
    this.trailers = trailers
    this.#tell(this)
    this.on.onResponseEnd?.(controller, trailers)
  }

  onResponseError(controller: H1Controller | undefined, error: Error): void {
    this.ends++
    this.error = error
    this.#tell(this)
    this.on.onResponseError?.(controller, error)
  }
}

/** A server of bytes: `serve` gets each connection with its number, from 0. */
export async function byteServer(
  t: Cleanup,
  serve: (socket: Socket, number: number) => void,
): Promise<{ port: number; server: Server; sockets: Socket[] }> {
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    socket.on('error', () => {})
    sockets.push(socket)
    serve(socket, sockets.length - 1)
  })
  const port = await portFor(server)
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { port, server, sockets }
}

/** A server that answers each request on a connection (by its head) with `answer(head, connection, turn)`. */
export function answering(
  t: Cleanup,
  answer: (head: string, socket: Socket, connection: number, turn: number) => string | undefined,
): ReturnType<typeof byteServer> {
  return byteServer(t, (socket, number) => {
    let text = ''
    let turn = 0
    socket.on('data', (data) => {
      text += data.toString('latin1')
      for (let end = text.indexOf('\r\n\r\n'); end !== -1; end = text.indexOf('\r\n\r\n')) {
        const head = text.slice(0, end + 4)
        text = text.slice(end + 4)
        // The rest is that of a chunked body.
        if (!head.includes(' HTTP/1.1\r\n')) continue
        const reply = answer(head, socket, number, turn++)
        if (reply !== undefined) socket.write(reply, 'latin1')
      }
    })
  })
}

export const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

export function poolTo(t: Cleanup, port: number, options: Partial<H1PoolOptions> = {}): H1Pool {
  const pool = new H1Pool({
    connect: (onread) => connect({ port, host: '127.0.0.1', onread }),
    secure: false,
    connections: 4,
    keepAliveTimeout: 4000,
    maxHeaderSize: 4096,
    connectTimeout: 0,
    ...options,
  })
  t.after(() => pool.destroy())
  return pool
}

export function send(
  pool: H1Pool,
  options: Partial<H1RequestOptions> = {},
  on: Partial<H1Handler> = {},
): Recorder {
  const recorder = new Recorder(on)
  pool.dispatch({ method: 'GET', path: '/', headers: ['host', 'a'], body: null, ...options }, recorder)
  return recorder
}

export const pass = (ms = 20): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
