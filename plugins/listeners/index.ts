import type { IncomingMessage, Server } from 'node:http'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { daysLeft, type ListenerTls } from '../config/certificate.ts'
import { createServer, type Handler, STOPPING } from '../config/listener.ts'
import { bind, listenError } from './bind.ts'
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

/** Opens all of them, or none. */
async function listen(app: FastifyInstance): Promise<Server[]> {
  const opened = await Promise.allSettled(
    app.gateway.listeners.map(async (entry) => {
      const listener = create(app, entry)
      await bind(listener, entry)
      const { port, host } = entry
      const scheme = entry.tls === undefined ? 'http' : 'https'
      app.log.info({ port, host, http2: entry.http2 }, `also listening at ${scheme}://${host}:${port}`)
      return listener
    }),
  )
  const listeners = opened.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  const failed = opened.find((one) => one.status === 'rejected')
  if (failed === undefined) return listeners
  for (const listener of listeners) listener.close()
  throw failed.reason
}

export default fp(
  async (app) => {
    let open: Server[] = []
    let closed: Promise<unknown> = Promise.resolve()
    const close = (): void => {
      const closing = open
      open = []
      closed = Promise.all([
        closed,
        ...closing.map((listener) => new Promise((done) => listener.close(done))),
      ])
    }

    // Fastify logs what an `onListen` hook throws and goes on. So the others are bound first, and what is in the
    // way of one of them is in the way of `listen()`.
    const { server } = app
    const listenMain = server.listen.bind(server) as (...options: unknown[]) => Server
    server.listen = ((...options: unknown[]) => {
      warnOfCertificates(app)
      listen(app).then(
        (listeners) => {
          open = listeners
          listenMain(...options)
        },
        (error) => server.emit('error', error),
      )
      return server
    }) as typeof server.listen

    // What is in the way of the main port is said as plainly: Fastify hands its listeners the same object.
    server.prependListener('error', (error) => {
      const plain = listenError(error)
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
  { name: 'listeners', dependencies: ['config'] },
)
