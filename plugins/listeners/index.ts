import type { IncomingMessage, Server } from 'node:http'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { bind, listenError, opensWith } from '../config/bind.ts'
import { STOPPING } from '../config/close.ts'
import type { Handler } from '../config/entrance.ts'
import { createServer } from '../config/listener.ts'
import { MAIN_PORT } from '../config/ports.ts'
import { REFUSED, type Refusal } from '../config/refused.ts'
import { Connections } from './connections.ts'
import { descriptorLimit, roomIn } from './descriptors.ts'
import { redirectToHttps } from './redirect.ts'
import { Refusals, TOLD_EVERY } from './refusals.ts'
import { renewCertificates } from './renewal.ts'

type Entry = FastifyInstance['gateway']['listeners'][number]

/** From this many days before its end on, a certificate is spoken of in the log. */
const WARN_DAYS = 14
const DAY_MS = 86_400_000

const RAISE =
  'there are no file descriptors for more; raise the limit: LimitNOFILE (systemd), nofile (Docker), `ulimit -n`'

/** How many connections of clients there is room for, and a word if targets cannot have all of theirs. */
function mostClients({ gateway, log }: FastifyInstance): number {
  const descriptors = descriptorLimit()
  if (descriptors === undefined) return Number.POSITIVE_INFINITY
  const { clients, wanted, fit } = roomIn(descriptors, Object.values(gateway.upstreams))
  if (wanted > fit)
    log.warn(
      { descriptors, clients, wanted, fit },
      `\`limits.connections\` of all targets come to ${wanted}, and beside ${clients} clients there is room for ${fit}; raise the limit of file descriptors (LimitNOFILE, nofile, \`ulimit -n\`), or lower them`,
    )
  return clients
}

function warnOfCertificates(app: FastifyInstance): void {
  for (const { place, at } of app.certificates.listeners.flatMap(({ ends }) => ends)) {
    const days = Math.floor((at * 1000 - Date.now()) / DAY_MS)
    if (days < 0)
      app.log.error({ days }, `the certificate of ${place} has expired; clients refuse it: renew it`)
    else if (days < WARN_DAYS)
      app.log.warn({ days }, `the certificate of ${place} expires in ${days} days; renew it`)
  }
}

/** Whoever sends it can send any number of it: the first of a kind has a line, the rest of a minute one together. */
function tellOfRefusals(app: FastifyInstance): void {
  const refusals = new Refusals()
  app.upstreams.measure(refusals.collector)
  let timer: NodeJS.Timeout | undefined
  const summarise = (): void => {
    timer = undefined
    const reasons = refusals.summary()
    if (reasons !== undefined) app.log.info({ reasons }, 'more was refused that is no request')
  }
  app.server.on(REFUSED, ({ reason, status, peer, code }: Refusal) => {
    if (!refusals.add(reason)) return
    if (reason === 'too-many-connections') app.log.error({ reason, peer }, `too many clients: ${RAISE}`)
    else app.log.info({ reason, status, peer, code }, 'refused what is no request')
    timer ??= setTimeout(summarise, TOLD_EVERY).unref()
  })
  app.addHook('onClose', async () => {
    clearTimeout(timer)
    summarise()
  })
}

/** A listener for the entry of `listeners` that is at `index`, not yet bound. */
function create(app: FastifyInstance, index: number): Server {
  const { http2, redirectToHttps: port } = app.gateway.listeners[index] as Entry
  const handler = port === undefined ? (app.routing as unknown as Handler) : redirectToHttps(port)
  const listener = createServer(
    handler,
    app.gateway.server,
    { certificates: app.certificates.at(`listeners[${index}].tls`), http2 },
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
    const connections = new Connections(mostClients(app))
    const refused = (peer: string | undefined): void => {
      server.emit(REFUSED, { reason: 'too-many-connections', status: 0, peer, code: undefined })
    }
    connections.watch('main', server, refused)
    for (const collector of connections.collectors) app.upstreams.measure(collector)
    tellOfRefusals(app)
    renewCertificates(app)
    opensWith(server, async () => {
      warnOfCertificates(app)
      return () => {}
    })
    for (const [index, entry] of app.gateway.listeners.entries()) {
      opensWith(server, async () => {
        const listener = create(app, index)
        connections.watch(`listeners[${index}]`, listener, refused)
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
