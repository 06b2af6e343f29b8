import { buildConnector, Pool } from 'undici'
import { clientTlsOptions } from '../config/client-tls.ts'
import type { UpstreamConfig } from '../config/define.ts'
import { needsTrueEnds } from './http2-ends.ts'
import { type Connections, connectTimeout, isAddress } from './pools.ts'

const LONGEST_PING_MS = 10_000

/**
 * Begins connections whose streams end truly.
 * @param nameless an address cannot be asked for by SNI, and node:tls refuses to; the certificate is verified against
 * it all the same
 */
function connector(connect: buildConnector.connector, nameless: boolean): buildConnector.connector {
  return ({ servername, ...options }, callback) =>
    connect(nameless || servername === undefined ? options : { ...options, servername }, (...result) => {
      if (result[0] === null) needsTrueEnds(result[1])
      callback(...result)
    })
}

/** undici's, for targets of HTTP/2: by ALPN over TLS, with prior knowledge without. */
export function openHttp2Pool(
  url: URL,
  socketPath: string | undefined,
  servername: string | undefined,
  config: UpstreamConfig,
): Connections {
  const secure = servername !== undefined
  const version = secure ? { allowH2: true } : { allowH2: false, useH2c: true }
  const connect = buildConnector({
    ...(secure ? clientTlsOptions(config.tls) : {}),
    ...(socketPath === undefined ? {} : { socketPath }),
    timeout: connectTimeout(config),
    ...version,
  })
  const pool = new Pool(url.origin, {
    connections: config.limits.connections,
    connect: connector(connect, isAddress(servername)),
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
  return pool as unknown as Connections
}
