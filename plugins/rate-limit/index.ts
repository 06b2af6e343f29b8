import { randomBytes } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { addressList } from '../config/addresses.ts'
import { decorated } from '../config/decorated.ts'
import { catalogueOf } from './catalogue.ts'
import { rateLimited, unknownPlan } from './errors.ts'
import { Compilation, expressionProblems } from './expressions.ts'
import { limitFields, retryAfter } from './headers.ts'
import { KeyedHash } from './keyed-hash.ts'
import type { Compile } from './keys.ts'
import { type Claim, claim, type Limit } from './limit.ts'
import { type Ask, useRateLimit } from './limiter.ts'
import { LocalStore } from './local-store.ts'
import { measureLimits } from './measures.ts'
import { shareThroughRedis } from './redis.ts'
import { Tally } from './tally.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** What its limits said; undefined for one that has none. */
    rateLimits?: readonly Claim[]
  }
}

/** Microseconds. */
const now = (): number => Math.floor(performance.now() * 1000)
const NONE: readonly Limit[] = []

/** A preflight has an address, and nothing else of what its request will have. */
function takesPreflights({ rule: { by, cost } }: Limit): boolean {
  return by === 'address' && typeof cost === 'number'
}

/** Tells the client of its limits, as late as can be: what an upstream says of its own would be taken for ours. */
function tellOfLimits(app: FastifyInstance): void {
  app.addHook('onSend', (request, reply, payload, done) => {
    const fields = request.rateLimits === undefined ? undefined : limitFields(request.rateLimits)
    if (fields !== undefined) {
      for (const name in reply.getHeaders()) {
        if (name.startsWith('x-ratelimit-') || name.startsWith('ratelimit-')) reply.removeHeader(name)
      }
      reply.header('ratelimit', fields.limit)
      reply.header('ratelimit-policy', fields.policy)
    }
    done(null, payload)
  })
}

export default fp(
  async (app) => {
    const { maxKeys, defaultPlan, trustedAddresses, headers } = app.gateway.rateLimits
    app.checkGateway((written) => expressionProblems(written, decorated<Compile>(app, 'compileExpression')))

    const compilation = new Compilation()
    const { limits, plans, unrouted, forRoute } = catalogueOf(app.gateway, (...what) =>
      compilation.add(...what),
    )
    const byRoute = new Map(
      app.compiledRoutes.map((route) => [route, forRoute(route.config, route.name)] as const),
    )
    const seed = randomBytes(8)
    const hash = new KeyedHash(seed.readInt32LE(0), seed.readInt32LE(4))
    const local = new LocalStore(limits, ({ algorithm }) => algorithm, hash, maxKeys)
    let shared: ReturnType<typeof shareThroughRedis>
    const decide = (claims: readonly Claim[]) =>
      // A plan that its identity does not have is no reason to ask Redis.
      claims.length === 0 || (shared?.store.decide(claims) ?? local.decide(claims, now()))
    const trusted = addressList(trustedAddresses)
    const asker = await useRateLimit(app, { decide, trusted, hash, maxKeys, now })
    if (limits.length === 0) return

    const tally = new Tally(
      () => performance.now(),
      (limit, route, requests) =>
        app.log.info({ limit, route, requests }, 'a limit on trial would have refused requests'),
    )
    measureLimits(app.upstreams, limits, tally, () => ({
      local: shared?.fallback ?? local,
      shared: shared?.store,
    }))
    // Whoever compiles and whoever knows Redis may be loaded after this.
    app.addHook('onReady', async () => {
      const compile = decorated<Compile>(app, 'compileExpression')
      if (compile !== undefined) compilation.run(compile)
      shared = shareThroughRedis(app, limits, hash, now)
    })

    /** The limits of an identity's plan. Throws if it has one that there is not. */
    const planOf = ({ identity, ip }: FastifyRequest): readonly Limit[] => {
      if (identity === null || trusted(ip)) return NONE
      const own = plans.get(identity.plan ?? defaultPlan ?? '') ?? plans.get(defaultPlan ?? '')
      if (own === undefined && identity.plan !== undefined) throw unknownPlan(identity.plan)
      return own ?? NONE
    }
    const guard = (route: string, ask: Ask) => async (request: FastifyRequest) => {
      const answer = await ask(request)
      if (answer.isAllowed || answer.key.length === 0) return
      const { key: claims, isExceeded } = answer
      request.rateLimits = request.rateLimits === undefined ? claims : [...request.rateLimits, ...claims]
      tally.count(route, claims, !isExceeded)
      if (isExceeded) throw rateLimited(retryAfter(claims))
    }
    const guardOf = (route: string, own: readonly Limit[]) =>
      own.length === 0
        ? undefined
        : guard(
            route,
            asker((request) => own.map((limit) => claim(limit, request))),
          )

    app.addGuard({
      name: 'rate-limit',
      stage: 'limit-by-address',
      forRoute(route) {
        const early = byRoute.get(route)?.early ?? NONE
        const all = guardOf(route.name, early)
        const ofPreflights = guardOf(route.name, early.filter(takesPreflights))
        return all && ((request) => (request.isPreflight ? ofPreflights?.(request) : all(request)))
      },
      forUnrouted: () => guardOf('', unrouted),
    })
    app.addGuard({
      name: 'rate-limit',
      stage: 'limit-by-identity',
      forRoute(route) {
        const late = byRoute.get(route)?.late ?? NONE
        if (plans.size === 0) return guardOf(route.name, late)
        const limited = guard(
          route.name,
          asker((request) => [...late, ...planOf(request)].map((limit) => claim(limit, request))),
        )
        return (request) => (late.length === 0 && request.identity === null ? undefined : limited(request))
      },
    })
    if (headers) tellOfLimits(app)
  },
  { name: 'rate-limit', dependencies: ['config', 'upstreams', 'routing'] },
)
