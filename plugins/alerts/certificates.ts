import { X509Certificate } from 'node:crypto'
import { pem } from '../config/certificate.ts'
import type { GatewayConfig } from '../config/define.ts'

/** Certificates that the gateway shows: to clients, and to targets that ask for one. */
function certificates({ server, listeners, upstreams }: Partial<GatewayConfig>): string[] {
  const places = [server, ...(listeners ?? []), ...Object.values(upstreams ?? {})]
  return places.flatMap((place) => place?.tls?.cert ?? [])
}

/** When the first of them runs out, in milliseconds since 1970; undefined if there is none. */
export function firstExpiry(config: Partial<GatewayConfig>): number | undefined {
  const ends = certificates(config).flatMap((text) => {
    try {
      return new X509Certificate(pem(text)).validToDate.getTime()
    } catch {
      // The file of a client certificate may be gone: whoever connects with it says so.
      return []
    }
  })
  return ends.length === 0 ? undefined : Math.min(...ends)
}
