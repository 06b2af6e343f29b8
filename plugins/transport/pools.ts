import { existsSync, readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { buildConnector, Pool } from 'undici'
import type { UpstreamConfig } from '../config/define.ts'
import type { Target } from '../upstreams/contract.ts'
import { unixSocket } from '../upstreams/origin.ts'

type TlsConfig = NonNullable<UpstreamConfig['tls']>

function pem(value: string | undefined): string | undefined {
  if (value === undefined || value.includes('-----BEGIN') || !existsSync(value)) return value
  return readFileSync(value, 'utf8')
}

/** TLS options as node:tls takes them. Verification is on unless the config says that it is not. */
export function tlsOptions(tls: TlsConfig | undefined) {
  const ca = pem(tls?.ca)
  const cert = pem(tls?.cert)
  const key = pem(tls?.key)
  return {
    rejectUnauthorized: tls?.verify ?? true,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(tls?.serverName === undefined ? {} : { servername: tls.serverName }),
  }
}

/** The connections to one target, and what every dispatch to it has in common. */
export interface TargetPool {
  readonly pool: Pool
  readonly origin: string
  /** Host header when the target is to see its own. */
  readonly host: string
  /** undici reconnects when the name to verify changes with the Host header: so every dispatch says it. */
  readonly servername: string | undefined
}

export function isAddress(host: string | undefined): boolean {
  return host !== undefined && isIP(host.replace(/^\[|\]$/g, '')) !== 0
}

/** An address cannot be asked for by SNI, and node:tls refuses to; the certificate is verified against it all the same. */
function nameless(connect: buildConnector.connector): buildConnector.connector {
  return ({ servername: _, ...options }, callback) => connect(options, callback)
}

export function openPool(target: Target, config: UpstreamConfig): TargetPool {
  const socketPath = unixSocket(target.origin)
  const url = new URL(socketPath === undefined ? target.origin : 'http://localhost')
  const secure = url.protocol === 'https:'
  const servername = secure ? (config.tls?.serverName ?? url.hostname) : undefined
  const allowH2 = config.http2 && secure
  const connect = {
    ...(secure ? tlsOptions(config.tls) : {}),
    ...(socketPath === undefined ? {} : { socketPath }),
    // Our own timer is exact; undici's is only there so that a socket it gave up on is closed at last.
    timeout: config.timeouts.connect === 0 ? 0 : config.timeouts.connect + 1000,
  }
  const pool = new Pool(url.origin, {
    connections: config.limits.connections,
    connect: isAddress(servername) ? nameless(buildConnector({ ...connect, allowH2 })) : connect,
    allowH2,
    ...(config.http2 && !secure ? { useH2c: true } : {}),
    ...(config.http2 ? {} : { pipelining: 1 }),
    // Deadlines are ours: undici's timers are up to half a second off.
    headersTimeout: 0,
    bodyTimeout: 0,
    keepAliveTimeout: config.timeouts.keepAlive,
    maxHeaderSize: config.responseHeaderLimit,
  })
  // What goes wrong with a connection is told to the request on it; there is nothing to add here.
  pool.on('connectionError', () => {})
  return {
    pool,
    origin: url.origin,
    host: url.host,
    servername,
  }
}
