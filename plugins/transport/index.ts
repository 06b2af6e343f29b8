import replyFrom from '@fastify/reply-from'
import fp from 'fastify-plugin'
import type { Exchange, ExchangePlan, Target } from '../upstreams/contract.ts'
import { gatherBody } from './body.ts'
import { clientReader } from './client.ts'
import { bodyTooLarge, refusalError } from './errors.ts'
import { EXCHANGE, HttpExchange } from './exchange.ts'
import { hasBody, requestHeaders } from './headers.ts'
import { sendMirrored } from './mirror.ts'
import { openPool, type TargetPool } from './pools.ts'
import type { Route } from './route.ts'
import { openTunnel, type UpgradeSocket } from './tunnel.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /**
     * Makes the exchange of a request, once its body is read if that is small. `then` runs with the exchange
     * on `request.exchange`; it does not run if the body is refused or the client leaves.
     */
    openExchange(request: FastifyRequest, reply: FastifyReply, plan: ExchangePlan, then: () => void): void
    /** Takes an upgrade to a target of the plan's upstream. */
    openTunnel(request: FastifyRequest, reply: FastifyReply, plan: ExchangePlan, upgrade: UpgradeSocket): void
  }
  interface FastifyRequest {
    /** The exchange with an upstream; null where the gateway answers by itself. */
    exchange: Exchange | null
  }
}

type Headers = Record<string, string | string[] | undefined>

export default fp(
  async (app) => {
    const { server, upstreams } = app.gateway
    const pools = new Map<Target, TargetPool>()
    const clientOf = clientReader(server.trustProxy)

    const poolOf = (target: Target): TargetPool => {
      let pool = pools.get(target)
      if (pool === undefined) {
        pool = openPool(target, upstreams[target.upstream] as (typeof upstreams)[string])
        pools.set(target, pool)
      }
      return pool
    }
    app.upstreams.onTargetChange(({ kind, target }) => {
      if (kind !== 'removed') return
      pools.get(target)?.pool.close()
      pools.delete(target)
    })

    const routes = new Map<string, Route>()
    for (const [name, config] of Object.entries(upstreams)) {
      routes.set(name, {
        upstream: app.upstreams.upstream(name),
        config,
        bodyLimit: server.bodyLimit,
        failover: () => app.upstreams.failover,
        pool: poolOf,
        mirror: (to, options) =>
          sendMirrored(app.upstreams.upstream(to), ({ target }) => poolOf(target), options),
      })
    }

    await app.register(replyFrom, {
      // An object with `request` is taken for an undici instance: here the exchange runs.
      undici: {
        request: (options: { headers: Headers & { [EXCHANGE]?: HttpExchange } }, callback: never) =>
          options.headers[EXCHANGE]?.run(callback),
      } as never,
      disableRequestLogging: true,
    })

    app.decorateRequest('exchange', null)
    app.decorate('openExchange', (request, reply, plan, then) => {
      const { raw } = request
      const route = routes.get(plan.upstream) as Route
      const open = (body: Buffer | typeof raw | null): void => {
        request.exchange = new HttpExchange(route, plan, request, reply, clientOf(raw), body)
        then()
      }
      if (!hasBody(raw)) return open(null)
      const length = Number(raw.headers['content-length'])
      if (length > server.bodyLimit) reply.send(bodyTooLarge())
      else if (length <= server.replayBody) gatherBody(raw, open)
      else open(raw)
    })

    app.decorate('openTunnel', (request, reply, plan, upgrade) => {
      const { upstream, config } = routes.get(plan.upstream) as Route
      const lease = upstream.lease({ key: plan.key, repeatable: false, tried: new Set() })
      if (typeof lease === 'string') {
        reply.header('connection', 'close').send(refusalError(lease))
        return
      }
      const client = clientOf(request.raw)
      const host = config.host === 'preserve' ? client.host : poolOf(lease.target).host
      openTunnel(lease, upgrade, reply, {
        method: request.method,
        path: plan.path,
        headers: requestHeaders(request.headers, client, host, config.forwarded, plan.editRequest),
        protocol: request.headers.upgrade ?? 'websocket',
        config,
        onEnd: () => {},
      })
    })

    app.addHook('onClose', async () => {
      await Promise.allSettled([...pools.values()].map(({ pool }) => pool.destroy()))
    })
  },
  { name: 'transport', dependencies: ['config', 'upstreams'] },
)
