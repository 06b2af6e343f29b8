import type { LookupFunction, Socket } from 'node:net'
import { buildConnector, Pool } from 'undici'
import { clientTlsOptions } from '../config/client-tls.ts'
import type { UpstreamConfig } from '../config/define.ts'
import type { Attempt } from './attempt.ts'
import type { DispatchOptions } from './attempt-owner.ts'
import { needsTrueEnds } from './http2-ends.ts'
import { type Connections, connectTimeout, isAddress } from './pools.ts'

const LONGEST_PING_MS = 10_000

/**
 * Begins connections whose streams end truly.
 * @param nameless an address cannot be asked for by SNI, and node:tls refuses to; the certificate is verified against
 * it all the same
 * @param opened hears of each
 */
function connector(
  connect: buildConnector.connector,
  nameless: boolean,
  opened: (socket: Socket) => void,
): buildConnector.connector {
  return ({ servername, ...options }, callback) =>
    connect(nameless || servername === undefined ? options : { ...options, servername }, (...result) => {
      if (result[0] === null) {
        needsTrueEnds(result[1])
        opened(result[1])
      }
      callback(...result)
    })
}

/** undici's, for targets of HTTP/2: by ALPN over TLS, with prior knowledge without. */
export function openHttp2Pool(
  url: URL,
  socketPath: string | undefined,
  servername: string | undefined,
  config: UpstreamConfig,
  lookup: LookupFunction,
): Connections {
  const secure = servername !== undefined
  const version = secure ? { allowH2: true } : { allowH2: false, useH2c: true }
  const connect = buildConnector({
    ...(secure ? clientTlsOptions(config.tls) : {}),
    ...(socketPath === undefined ? { lookup } : { socketPath }),
    timeout: connectTimeout(config),
    ...version,
  } as buildConnector.BuildOptions)
  return new Http2Connections((opened) => {
    const pool = new Pool(url.origin, {
      connections: config.limits.connections,
      connect: connector(connect, isAddress(servername), opened),
      ...version,
      // Deadlines are ours: undici's timers are up to half a second off.
      headersTimeout: 0,
      // A connection that is dead with no word of it is closed when a PING has had no answer for that long.
      h2Options: { pingInterval: Math.min(config.timeouts.response || LONGEST_PING_MS, LONGEST_PING_MS) },
      bodyTimeout: 0,
      keepAliveTimeout: config.timeouts.keepAlive,
      maxHeaderSize: config.responseHeaderLimit,
    })
    // What goes wrong with a connection is told to the request on it; there is nothing to add here.
    pool.on('connectionError', () => {})
    return pool
  })
}

/** undici retires no single connection: a pool with one that leads elsewhere by now is followed by a new one. */
class Http2Connections implements Connections {
  readonly #open: (opened: (socket: Socket) => void) => Pool
  /** The last one is in use, the others finish what they have. */
  #pools: Pool[] = []
  /** Of the one in use. */
  #sockets = new Set<Socket>()

  constructor(open: (opened: (socket: Socket) => void) => Pool) {
    this.#open = open
    this.#follow()
  }

  get stats(): Connections['stats'] {
    const sum = { connected: 0, free: 0, queued: 0 }
    for (const { stats } of this.#pools) {
      sum.connected += stats.connected
      sum.free += stats.free
      sum.queued += stats.queued
    }
    return sum
  }

  dispatch(options: DispatchOptions, handler: Attempt): void {
    this.#pools.at(-1)?.dispatch(options, handler)
  }

  keepOnly(addresses: ReadonlySet<string>): void {
    const leadsThere = ({ destroyed, remoteAddress = '' }: Socket): boolean =>
      destroyed || addresses.has(remoteAddress)
    if (this.#sockets.values().every(leadsThere)) return
    const left = this.#pools.at(-1) as Pool
    this.#follow()
    const forget = (): void => {
      this.#pools = this.#pools.filter((pool) => pool !== left)
    }
    left.close().then(forget, forget)
  }

  async close(): Promise<void> {
    await Promise.all(this.#pools.map((pool) => pool.close()))
  }

  async destroy(): Promise<void> {
    await Promise.all(this.#pools.map((pool) => pool.destroy()))
  }

  #follow(): void {
    const sockets = new Set<Socket>()
    this.#sockets = sockets
    const opened = (socket: Socket): void => {
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
    }
    this.#pools = [...this.#pools, this.#open(opened)]
  }
}
