import type { IncomingMessage, Server } from 'node:http'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { bind, listenError, opensWith } from '../config/bind.ts'
import { daysLeft, type ListenerTls } from '../config/certificate.ts'
import { STOPPING } from '../config/close.ts'
import { createServer, type Handler } from '../config/listener.ts'
import { MAIN_PORT } from '../config/ports.ts'
import { Connections } from './connections.ts'
import { redirectToHttps } from './redirect.ts'

/** From this many days before its end on, a certificate is spoken of in the log. */
const WARN_DAYS = 14

function warnOfCertificates(app: FastifyInstance): void {
  const { server, listeners } = app.gateway
  const places = [{ tls: server.tls, path: 'server.tls' }].concat(
    listeners.map(({ tls }, index) => ({ tls, path: `listeners[${index}].tls` })),
  )
  for (const { tls, path } of places) {
    if (tls === undefined) continue
    const days = daysLeft(tls as ListenerTls, Date.now())
    if (days < 0)
      app.log.error({ days }, `the certificate of ${path} has expired; clients refuse it: renew it`)
    else if (days < WARN_DAYS)
      app.log.warn({ days }, `the certificate of ${path} expires in ${days} days; renew it`)
  }
}

/** A listener for one entry of `listeners`, not yet bound. */
function create(app: FastifyInstance, entry: FastifyInstance['gateway']['listeners'][number]): Server {
  const { tls, http2, redirectToHttps: port } = entry
  const handler = port === undefined ? (app.routing as unknown as Handler) : redirectToHttps(port)
  const listener = createServer(
    handler,
    app.gateway.server,
    { tls: tls as ListenerTls | undefined, http2 },
    app.server,
  )
  listener.on('upgrade', (request: IncomingMessage, socket, head) =>
    app.server.emit('upgrade', request, socket, head),
  )
  return listener
}

export default fp(
  async (app) => {
    const open = new Set<Server>()
    let closed: Promise<unknown> = Promise.resolve()
    const close = (): void => {
      const closing = [...open].map((listener) => new Promise((done) => listener.close(done)))
      open.clear()
      closed = Promise.all([closed, ...closing])
    }

    const { server } = app
    const connections = new Connections()
    connections.watch('main', server)
    for (const collector of connections.collectors) app.upstreams.measure(collector)
    opensWith(server, async () => {
      warnOfCertificates(app)
      return () => {}
    })
    for (const [index, entry] of app.gateway.listeners.entries()) {
      opensWith(server, async () => {
        const listener = create(app, entry)
        connections.watch(`listeners[${index}]`, listener)
        await bind(listener, entry, `listeners[${index}].port`)
        open.add(listener)
        const { port, host, http2, tls } = entry
        const scheme = tls === undefined ? 'http' : 'https'
        app.log.info({ port, host, http2 }, `also listening at ${scheme}://${host}:${port}`)
        return () => {
          open.delete(listener)
          listener.close()
        }
      })
    }

    // What is in the way of the main port is said as plainly: Fastify hands its listeners the same object.
    server.prependListener('error', (error) => {
      const plain = listenError(error, MAIN_PORT)
      if (plain === error) return
      error.message = plain.message
      error.stack = plain.message
    })

    // As for the main one: closed once the drain window is over, and waited for before anything else ends.
    server.once(STOPPING, (waitFor: (closed: Promise<unknown>) => void) => {
      close()
      waitFor(closed)
    })
    app.addHook('onClose', async () => {
      close()
      await closed
    })
  },
  { name: 'listeners', dependencies: ['config', 'upstreams'] },
)
