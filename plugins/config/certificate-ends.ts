import { X509Certificate } from 'node:crypto'
import { type ListenerTls, pem } from './certificate.ts'
import type { GatewayConfig } from './define.ts'

/** When a certificate ends, and where the config has it. */
export interface CertificateEnd {
  readonly place: string
  /** Seconds since 1970. */
  readonly at: number
}

/** Certificates that the gateway shows: to clients, and to targets that ask for one. As they are now. */
export function certificateEnds(config: GatewayConfig): CertificateEnd[] {
  // Undefined where the plugin has been taken out.
  const listeners = (config.listeners ?? []) as readonly { readonly tls?: ListenerTls }[]
  const places: [string, string | undefined][] = [
    ['server.tls', config.server.tls?.cert],
    ...listeners.map(({ tls }, i): [string, string | undefined] => [`listeners[${i}].tls`, tls?.cert]),
    ...Object.entries(config.upstreams).map(([name, { tls }]): [string, string | undefined] => [
      `upstreams.${name}.tls`,
      tls?.cert,
    ]),
  ]
  return places.flatMap(([place, cert]) => {
    if (cert === undefined) return []
    try {
      return [{ place, at: Date.parse(new X509Certificate(pem(cert)).validTo) / 1000 }]
    } catch {
      // The file of a client certificate may be gone: whoever connects with it says so.
      return []
    }
  })
}
