import net, { isIP, type LookupFunction } from 'node:net'
import tls from 'node:tls'
import { clientTlsOptions } from '../config/client-tls.ts'
import type { UpstreamConfig } from '../config/define.ts'
import type { Target } from '../upstreams/contract.ts'
import { unixSocket } from '../upstreams/origin.ts'
import type { Attempt } from './attempt.ts'
import type { DispatchOptions } from './attempt-owner.ts'
import { Crowd } from './crowd.ts'
import { H1Pool } from './h1/pool.ts'
import { openHttp2Pool } from './http2-pool.ts'

/** What the transport needs of a pool: of ours for HTTP/1.1, or of undici's for HTTP/2. */
export interface Connections {
  /** `free` connections have no request, `queued` requests have no connection. */
  readonly stats: { readonly connected: number; readonly free: number; readonly queued: number }
  dispatch(options: DispatchOptions, handler: Attempt): void
  /** Retires connections to other addresses than these: idle ones at once, the others when their requests are over. */
  keepOnly(addresses: ReadonlySet<string>): void
  close(): Promise<void>
  destroy(): Promise<void>
}

/** How to reach a target, for those that connect to it besides the transport. */
export interface TargetAddress {
  readonly connect:
    | { readonly host: string; readonly port: number; readonly lookup: LookupFunction }
    | { readonly path: string }
  /** Its own Host header. */
  readonly hostHeader: string
  /** What a TLS connection to it is opened with; undefined where it speaks none. */
  readonly tls: TargetTls | undefined
}

/** The connections to one target, and what every dispatch to it has in common. */
export interface TargetPool {
  readonly pool: Connections
  readonly origin: string
  /** Host header when the target is to see its own. */
  readonly host: string
  /** undici reconnects when the name to verify changes with the Host header: so every dispatch says it. */
  readonly servername: string | undefined
  readonly address: TargetAddress
  readonly crowd: Crowd
}

/** Made once a target: to read the authorities for every connection would cost more than the handshake. */
export interface TargetTls {
  readonly secureContext: tls.SecureContext
  readonly rejectUnauthorized: boolean
  /** '' where it is an address, which SNI cannot ask for. */
  readonly servername: string
  readonly ALPNProtocols: string[]
}

function targetTls(servername: string, config: UpstreamConfig): TargetTls {
  const { ca, cert, key, rejectUnauthorized } = clientTlsOptions(config.tls)
  return {
    secureContext: tls.createSecureContext({ ca, cert, key }),
    rejectUnauthorized,
    servername: isAddress(servername) ? '' : servername,
    ALPNProtocols: ['http/1.1'],
  }
}

export function isAddress(host: string | undefined): boolean {
  return host !== undefined && isIP(withoutBrackets(host)) !== 0
}

/** An address of version 6 as sockets take it. */
export function withoutBrackets(host: string): string {
  return host.replace(/^\[|\]$/g, '')
}

/** Our own timer is exact; this one is only there so that a socket it gave up on is closed at last. */
export function connectTimeout({ timeouts }: UpstreamConfig): number {
  return timeouts.connect === 0 ? 0 : timeouts.connect + 1000
}

function addressOf(
  url: URL,
  socketPath: string | undefined,
  lookup: LookupFunction,
): TargetAddress['connect'] {
  if (socketPath !== undefined) return { path: socketPath }
  return {
    host: withoutBrackets(url.hostname),
    port: Number(url.port) || (url.protocol === 'https:' ? 443 : 80),
    lookup,
  }
}

/** Begins connections to a target, with or without TLS. */
function connector({ connect, tls: secured }: TargetAddress) {
  if (secured === undefined) return (onread: net.OnReadOpts) => net.connect({ ...connect, onread })
  let session: Buffer | undefined
  return () => {
    const socket = tls.connect({ ...connect, ...secured, ...(session === undefined ? {} : { session }) })
    socket.on('session', (resumable) => {
      session = resumable
    })
    return socket
  }
}

/**
 * @param lookup finds the addresses of its name
 * @param gaveWay hears of clients that were cut off since they were too slow
 */
export function openPool(
  target: Target,
  config: UpstreamConfig,
  lookup: LookupFunction,
  gaveWay: () => void,
): TargetPool {
  const socketPath = unixSocket(target.origin)
  const url = new URL(socketPath === undefined ? target.origin : 'http://localhost')
  const secure = url.protocol === 'https:'
  const servername = secure ? (config.tls?.serverName ?? url.hostname) : undefined
  const secured = servername === undefined ? undefined : targetTls(servername, config)
  const address = { connect: addressOf(url, socketPath, lookup), hostHeader: url.host, tls: secured }
  const pool = config.http2
    ? openHttp2Pool(url, socketPath, servername, config, lookup)
    : new H1Pool({
        connect: connector(address),
        secure,
        connections: config.limits.connections,
        keepAliveTimeout: config.timeouts.keepAlive,
        maxHeaderSize: config.responseHeaderLimit,
        connectTimeout: connectTimeout(config),
      })
  const crowd = new Crowd(config.limits.minRate, () => pool.stats.queued, gaveWay)
  return { pool, origin: url.origin, host: url.host, servername, address, crowd }
}
