import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { type Header, type SecurityOptions, securityHeaders } from './headers.ts'
import type { SecurityHeadersConfig } from './schema.ts'

interface Said {
  readonly plain: readonly Header[]
  readonly tls: readonly Header[]
  readonly remove: readonly string[]
  readonly override: boolean
}

function compile(config: SecurityHeadersConfig): Said {
  return { ...securityHeaders(config as SecurityOptions), remove: config.remove, override: config.override }
}

export default fp(
  async (app: FastifyInstance) => {
    const { gateway } = app
    const forAll = gateway.securityHeaders === undefined ? undefined : compile(gateway.securityHeaders)
    const ofRoutes = new Map<object, Said | undefined>()
    for (const route of gateway.routes) {
      const own = route.securityHeaders
      if (own !== undefined) ofRoutes.set(route, own.enabled ? compile(own) : undefined)
    }
    if (forAll === undefined && ofRoutes.size === 0) return

    app.addHook('onSend', (request, reply, payload, done) => {
      const route = request.routeOptions.config.gateway?.config
      const said = route !== undefined && ofRoutes.has(route) ? ofRoutes.get(route) : forAll
      if (said !== undefined) {
        for (const name of said.remove) if (reply.hasHeader(name)) reply.removeHeader(name)
        for (const [name, value] of request.protocol === 'https' ? said.tls : said.plain) {
          if (said.override || !reply.hasHeader(name)) reply.header(name, value)
        }
      }
      done(null, payload)
    })
  },
  { name: 'security-headers', dependencies: ['config', 'routing'] },
)
