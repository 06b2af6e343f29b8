import Fastify, { type FastifyInstance, LogController } from 'fastify'
import fp from 'fastify-plugin'
import { listenError, opensWith } from '../config/bind.ts'
import { GatewayError } from '../upstreams/errors.ts'
import { ownHosts } from './own-host.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** The admin listener, to which plugins and `routes/` add their endpoints; null where the config has none. */
    admin: FastifyInstance | null
  }
}

/** Opens the admin listener together with the main one, and closes it after the drain. */
export default fp(
  async (app) => {
    const { admin } = app.gateway
    if (admin === undefined) {
      app.decorate('admin', null)
      return
    }
    const listener = Fastify({
      loggerInstance: app.log.child({ listener: 'admin' }),
      // Whoever scrapes or looks would write most of the log.
      logController: new LogController({ disableRequestLogging: true }),
    }) as unknown as FastifyInstance
    app.decorate('admin', listener)
    listener.setErrorHandler((error: Error & { statusCode?: number; code?: string }, _request, reply) => {
      const status = error.statusCode ?? 500
      reply.code(status).type('application/problem+json')
      return { type: 'about:blank', status, title: error.code ?? error.name, detail: error.message }
    })
    listener.setNotFoundHandler(() => {
      const told = 'There is nothing here by this path and method; docs/admin.md shows what there is'
      throw new GatewayError('GTW_NOT_FOUND', 404, 'client', told)
    })
    const isOwn = ownHosts([admin.host, ...admin.hosts])
    // A page in an operator's browser can reach loopback, but cannot choose another Host than its own.
    listener.addHook('onRequest', async ({ host }) => {
      if (isOwn(host)) return
      const told = `The admin listener does not answer to "${host}"; name it in admin.hosts, or use an address`
      throw new GatewayError('GTW_ADMIN_HOST', 403, 'client', told)
    })
    // Who may have changed something, whichever plugin's endpoint it was; who looks is not told. Not when it has been
    // answered: somebody who leaves without waiting for that has changed it all the same.
    listener.addHook('onSend', async ({ method, url, ip, log }, { statusCode }) => {
      if (method !== 'GET' && method !== 'HEAD')
        log.info({ method, url, status: statusCode, client: ip }, 'admin request')
    })

    opensWith(app.server, async () => {
      try {
        await listener.listen({ host: admin.host, port: admin.port })
      } catch (error) {
        throw listenError(error as Error, 'admin.port')
      }
      return () => void listener.close()
    })
    app.addHook('onClose', () => listener.close())
  },
  { name: 'admin', dependencies: ['config'] },
)
