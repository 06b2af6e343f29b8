import { Readable } from 'node:stream'
import replyFrom from '@fastify/reply-from'
import fp from 'fastify-plugin'
import { STOPPING } from '../config/close.ts'
import { hasBody } from '../config/has-body.ts'
import type { Target } from '../upstreams/contract.ts'
import { TAKEN_OUT } from '../upstreams/events.ts'
import type { Exchange, ExchangePlan } from '../upstreams/exchange.ts'
import { Quiet } from '../upstreams/quiet.ts'
import { shortage } from '../upstreams/shortage.ts'
import type { AttemptHook } from './attempt-owner.ts'
import { gatherBody } from './body.ts'
import { type BodyCheck, bodyChecker } from './body-check.ts'
import { clientReader } from './client.ts'
import { transportCollectors } from './collectors.ts'
import { Deadlines } from './deadlines.ts'
import { bodyTooLarge } from './errors.ts'
import { HttpExchange } from './exchange.ts'
import type { Hedge } from './hedge.ts'
import { watchEnds } from './http2-ends.ts'
import { lastAnswer } from './linger.ts'
import { Memory } from './memory.ts'
import { sendMirrored } from './mirror.ts'
import { resolveTargets } from './names/target-names.ts'
import { OpenTunnels } from './open-tunnels.ts'
import { openPool, type TargetAddress, type TargetPool } from './pools.ts'
import { requester } from './requester.ts'
import type { Route } from './route.ts'
import { Tunnel } from './tunnel.ts'
import type { UpgradeSocket } from './tunnel-facts.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /**
     * Makes the exchange of a request, once its body is read if that is small. `then` runs with the exchange
     * on `request.exchange`; it does not run if the body is refused or the client leaves.
     */
    openExchange(request: FastifyRequest, reply: FastifyReply, plan: ExchangePlan, then: () => void): void
    /**
     * Takes an upgrade to a target of the plan's upstream.
     * @param editResponse changes the headers of a refusal, in place
     */
    openTunnel(
      request: FastifyRequest,
      reply: FastifyReply,
      plan: ExchangePlan,
      upgrade: UpgradeSocket,
      editResponse?: (headers: Headers) => void,
    ): void
  }
  interface FastifyInstance {
    /** Is told of attempts before they are sent, and may change their headers. */
    onAttempt(hook: AttemptHook): void
    /** How to reach a target, for those that connect to it besides the transport. */
    targetAddress(target: Target): TargetAddress
  }
  interface FastifyRequest {
    /** The exchange with an upstream; null where the gateway answers by itself. */
    exchange: Exchange | null
    /**
     * Looks at the request's body before any target is chosen or an endpoint of the gateway's own reads it, and says
     * why it is refused. With one the body has to be of known length and within `server.replayBody`. To be set before
     * bodies are read, in a guard or `onRequest`. Default null.
     */
    bodyCheck: BodyCheck | null
  }
}

/** Milliseconds between two lines about the same shortage. */
const SHORTAGE_TOLD_EVERY = 60_000

type Headers = Record<string, string | string[] | undefined>

export default fp(
  async (app) => {
    const { server, upstreams } = app.gateway
    const pools = new Map<Target, TargetPool>()
    /** How many were cut off, by upstream. */
    const slowClients = new Map(Object.keys(upstreams).map((name) => [name, 0]))
    /** Copies that were sent, by the upstream that they went to. */
    const mirrored = new Map(Object.keys(upstreams).map((name) => [name, 0]))
    const clientOf = clientReader(server.trustProxy)

    const context = { now: () => performance.now(), random: () => Math.random() }
    const lookup = resolveTargets(app, context, (target, addresses) =>
      pools.get(target)?.pool.keepOnly(addresses),
    )
    const poolOf = (target: Target): TargetPool => {
      let pool = pools.get(target)
      if (pool === undefined) {
        const { upstream } = target
        pool = openPool(target, upstreams[upstream] as (typeof upstreams)[string], lookup, () =>
          slowClients.set(upstream, (slowClients.get(upstream) ?? 0) + 1),
        )
        pools.set(target, pool)
      }
      return pool
    }
    app.upstreams.onTargetChange(({ kind, target }) => {
      if (kind !== 'removed') return
      pools.get(target)?.pool.close()
      pools.delete(target)
    })

    app.decorate('targetAddress', (target) => poolOf(target).address)

    let attemptHook: AttemptHook | undefined
    app.decorate('onAttempt', (added) => {
      const before = attemptHook
      attemptHook =
        before === undefined
          ? added
          : (...attempt) => {
              before(...attempt)
              added(...attempt)
            }
    })

    const deadlines = new Deadlines(20)
    const hedges = new Deadlines<Hedge>(4)
    app.upstreams.onEvent(({ name, target }) => {
      if (target !== undefined && TAKEN_OUT.has(name)) hedges.each((hedge) => hedge.rescue(target))
    })
    const quiet = new Quiet(context.now, SHORTAGE_TOLD_EVERY)
    const tellOfShortages = (error: unknown): void => {
      const what = shortage(error)
      if (what === undefined) return
      quiet.say(what, (keptBack) =>
        app.log.error({ keptBack }, `no connection to a target can be opened: ${what}`),
      )
    }
    const bodyMemory = new Memory(server.bodyMemory)
    const routes = new Map<string, Route>()
    for (const [name, config] of Object.entries(upstreams)) {
      routes.set(name, {
        upstream: app.upstreams.upstream(name),
        config,
        bodyLimit: server.bodyLimit,
        bodyMemory,
        deadlines,
        hedges,
        log: app.log,
        failed: tellOfShortages,
        failover: () => app.upstreams.failover,
        onAttempt: () => attemptHook,
        pool: poolOf,
        mirror: (to, options) => {
          if (sendMirrored(app.upstreams.upstream(to), ({ target }) => poolOf(target), options))
            mirrored.set(to, (mirrored.get(to) ?? 0) + 1)
        },
      })
    }

    await app.register(replyFrom, { undici: requester as never, disableRequestLogging: true })

    app.decorateRequest('exchange', null)
    app.decorateRequest('bodyCheck', null)
    const checkBody = bodyChecker(server, bodyMemory)
    app.decorate('openExchange', (request, reply, plan, then) => {
      const { raw } = request
      const route = routes.get(plan.upstream) as Route
      const open = (body: Buffer | typeof raw | null): void => {
        // Its `close` has been and is not told again.
        if (reply.raw.destroyed) return
        request.exchange = new HttpExchange(route, plan, request, reply, clientOf(request), body)
        then()
      }
      if (reply.raw.destroyed) return
      // The exchange gives back what it holds when it ends.
      if (request.bodyCheck !== null)
        return checkBody(request, reply, request.bodyCheck, (body) => open(hasBody(raw) ? body : null))
      if (!hasBody(raw)) return open(null)
      const length = Number(raw.headers['content-length'])
      if (length > server.bodyLimit) {
        lastAnswer(raw, reply)
        reply.send(bodyTooLarge())
      } else if (length <= server.replayBody && bodyMemory.take(length)) {
        const giveBack = (): void => bodyMemory.giveBack(length)
        gatherBody(raw, (body) => (reply.raw.destroyed ? giveBack() : open(body)), giveBack)
      } else open(raw)
    })
    // Before Fastify reads it for an endpoint of the gateway's own, knowing nothing of checks. What is forwarded is looked
    // at when its exchange is made.
    app.addHook('preParsing', (request, reply, payload, done) => {
      if (request.bodyCheck === null) return done(null, payload)
      const { upstream, split } = request.routeOptions.config.gateway?.config ?? {}
      if (upstream !== undefined || split !== undefined) return done(null, payload)
      checkBody(request, reply, request.bodyCheck, (body, giveBack) => {
        reply.raw.once('close', giveBack)
        const checked = new Readable({ read() {} })
        checked.push(body)
        checked.push(null)
        done(null, checked)
      })
    })

    const tunnels = new OpenTunnels(Object.keys(upstreams))
    app.server.once(STOPPING, () => tunnels.stop())
    app.decorate('openTunnel', (request, reply, plan, upgrade, editResponse) => {
      // As above: the tunnel would wait for a client that has gone, for ever.
      if (reply.raw.destroyed) return
      const route = routes.get(plan.upstream) as Route
      const client = clientOf(request)
      const tunnel = new Tunnel({ route, plan, request, reply, client, upgrade, editResponse, tunnels })
      request.exchange = tunnel
      tunnel.open()
    })

    for (const collector of transportCollectors(pools, bodyMemory, tunnels, slowClients, mirrored)) {
      app.upstreams.measure(collector)
    }

    const unwatchEnds = Object.values(upstreams).some(({ http2 }) => http2) ? watchEnds() : undefined
    app.addHook('onClose', async () => {
      unwatchEnds?.()
      await Promise.allSettled([...pools.values()].map(({ pool }) => pool.destroy()))
    })
  },
  { name: 'transport', dependencies: ['config', 'upstreams'] },
)
