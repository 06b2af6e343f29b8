import type { FastifyInstance } from 'fastify'
import { addressList } from './addresses.ts'
import { plainForwardedFor } from './forwarded-for.ts'

/** What proxies say of clients, besides `X-Forwarded-*`. Frameworks believe it, whoever has said it. */
export const OF_PROXIES: ReadonlySet<string> = new Set([
  'cf-connecting-ip',
  'client-ip',
  'fastly-client-ip',
  'forwarded',
  'front-end-https',
  'true-client-ip',
  'x-client-ip',
  'x-cluster-client-ip',
  'x-real-ip',
  'x-scheme',
  'x-url-scheme',
])

/** @param name lower-case */
export function isOfProxies(name: string): boolean {
  return name.startsWith('x-forwarded') || OF_PROXIES.has(name)
}

/**
 * Takes out of requests what only a proxy may say of a client, unless one that is believed has said it: whatever is there
 * afterwards was said by one, or set by a plugin. What those say of addresses is read as such, since with its port one
 * client would be another one with each connection. To be called before any plugin is loaded.
 */
export function believeProxies(app: FastifyInstance, trustProxy: readonly string[]): void {
  const trusts = addressList(trustProxy)
  app.addHook('onRequest', ({ raw }, _reply, done) => {
    const { headers } = raw
    if (!trusts(raw.socket.remoteAddress)) {
      for (const name in headers) if (isOfProxies(name)) delete headers[name]
    } else if (headers['x-forwarded-for'] !== undefined) {
      headers['x-forwarded-for'] = plainForwardedFor(String(headers['x-forwarded-for']))
    }
    done()
  })
}
