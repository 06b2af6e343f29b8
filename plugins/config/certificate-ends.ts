import { X509Certificate } from 'node:crypto'
import { pem } from './certificate.ts'
import type { GatewayConfig } from './define.ts'

/** When a certificate ends, and where the config has it. */
export interface CertificateEnd {
  readonly place: string
  /** Seconds since 1970. */
  readonly at: number
}

/** Those of certificates that the gateway shows to targets, as their files are now. */
export function upstreamCertificateEnds(config: GatewayConfig): CertificateEnd[] {
  return Object.entries(config.upstreams).flatMap(([name, { tls }]) => {
    if (tls?.cert === undefined) return []
    try {
      const { validTo } = new X509Certificate(pem(tls.cert))
      return [{ place: `upstreams.${name}.tls`, at: Date.parse(validTo) / 1000 }]
    } catch {
      // The file may be gone: whoever connects with it says so.
      return []
    }
  })
}
