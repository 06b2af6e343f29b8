import { createHash } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { decorated } from '../config/decorated.ts'
import type { Problem } from '../config/errors.ts'
import { NO_OPTIONS, optionProblems } from '../config/kind-options.ts'
import { messageOf, written } from '../config/messages.ts'
import { suggestion } from '../config/suggest.ts'
import type { Schema } from '../config/typed.ts'
import { Quiet } from '../upstreams/quiet.ts'
import { ServiceBreaker } from '../upstreams/service-breaker.ts'
import type { AuthorizerKinds, CreateAuthorizer } from './authorizer.ts'
import { type Building, buildAuthorizers, type DefinedAuthorizer, expressionProblems } from './build.ts'
import { challengeOf } from './challenge.ts'
import { ExternalAuthorizer } from './external/external.ts'
import { openService, type Service } from './external/service.ts'
import { type NamedAuthorizer, RouteAuthorization } from './guard.ts'
import { refuseLookalikes } from './refuse-lookalikes.ts'
import type { ExternalConfig } from './schema.ts'

/** After so many failures in a row a service that authorizes is left alone: for so long, and longer each time. */
const BREAKER = { failures: 5, firstMs: 1000, longestMs: 5000 }
/** What is broken is told of so often, however many requests it costs. */
const REPORT_EVERY_MS = 30_000

declare module 'fastify' {
  interface FastifyInstance {
    /**
     * Adds a kind of authorizer, which routes demand under `authorization.custom` and its name. Throws if there is one
     * of that name. Before the config is checked: in a plugin of the folder `plugins/`. With `schema`, written with the
     * kit of `plugins/config/kit.ts`, its options are checked at the start and read, with defaults; without, it takes
     * none. What no schema can say `create` may refuse by throwing.
     */
    defineAuthorizer<K extends keyof AuthorizerKinds, R = AuthorizerKinds[K]>(
      name: K,
      create: CreateAuthorizer<R>,
      schema?: Schema<AuthorizerKinds[K], R>,
    ): void
  }
}

type Route = Parameters<Parameters<FastifyInstance['addGuard']>[0]['forRoute']>[0]

interface Guarded {
  readonly route: string
  readonly guard: RouteAuthorization
  readonly external: ExternalAuthorizer | undefined
}

function withoutExpressions(): never {
  throw new Error(
    'expressions cannot be read without the plugin "expressions"; put the folder plugins/expressions back',
  )
}

export default fp(
  async (app) => {
    const kinds = new Map<string, DefinedAuthorizer>()
    let checked = false
    app.decorate('defineAuthorizer', (name, create, schema = NO_OPTIONS as never) => {
      if (checked)
        throw new Error(
          `the authorizer "${name}" comes too late: define it in a plugin of the folder plugins/`,
        )
      if (kinds.has(name)) throw new Error(`"${name}" authorizes already; take another name`)
      kinds.set(name, { create, schema })
    })
    const realm = (app.gateway as { readonly auth?: { readonly realm?: string } }).auth?.realm
    const building = (): Building => ({
      compileExpression:
        decorated<Building['compileExpression']>(app, 'compileExpression') ?? withoutExpressions,
      kinds,
      realm,
    })
    const now = (): number => performance.now()
    const quiet = new Quiet(now, REPORT_EVERY_MS)

    /** Made on checking, so that all that is wrong is told together; used once the server is ready. */
    let made: (readonly NamedAuthorizer[] | undefined)[] = []
    app.checkGateway(({ routes, upstreams }) => {
      checked = true
      const problems: Problem[] = []
      made = routes.map(({ name, host = '', path, authorization }, index) => {
        if (authorization === undefined) return undefined
        const at = (...steps: string[]): string => written('routes', index, 'authorization', ...steps)
        problems.push(...expressionProblems(authorization, building(), at))
        for (const [kind, options] of Object.entries(authorization.custom ?? {})) {
          const known = kinds.get(kind)
          if (known !== undefined) {
            problems.push(...optionProblems(known.schema, options, at('custom', kind)))
            continue
          }
          const message = `no authorizer is called "${kind}"; ${suggestion(kind, kinds.keys())}`
          problems.push({ path: at('custom', kind), message })
        }
        const service = upstreams[authorization.external?.upstream ?? '']
        if (service?.http2 === true) {
          const message = 'is spoken to in HTTP/2, but is asked in HTTP/1.1; name an upstream without `http2`'
          problems.push({ path: at('external', 'upstream'), message })
        }
        if (problems.some((problem) => problem.path.startsWith(at()))) return undefined
        try {
          return buildAuthorizers(authorization, building(), { route: name ?? `${host}${path}` })
        } catch (error) {
          problems.push({ path: at(), message: messageOf(error) })
          return undefined
        }
      })
      return problems
    })

    const services: Service[] = []
    const openExternal = (route: string, config: ExternalConfig): ExternalAuthorizer => {
      const service = openService(app, config)
      services.push(service)
      const breaker = new ServiceBreaker(BREAKER, { now, random: () => Math.random() })
      return new ExternalAuthorizer(config, {
        breaker,
        now,
        digest: (text) => createHash('sha256').update(text).digest('base64'),
        ask: (request, headers) => service.ask(request, headers),
        failed(why) {
          const { onFailure } = config
          quiet.say(`external ${route}`, (keptBack) => {
            app.log.error(
              { route, onFailure, why, keptBack },
              'the service that authorizes does not answer as it should',
            )
          })
        },
      })
    }

    if (app.gateway.pathLookalikes === 'refuse') refuseLookalikes(app)

    const guarded: Guarded[] = []
    app.addGuard({
      name: 'authorization',
      stage: 'authorize',
      forRoute(route: Route) {
        const { authorization, auth } = route.config as typeof route.config & { readonly auth?: unknown }
        if (authorization === undefined) return undefined
        const authorizers = made[app.compiledRoutes.indexOf(route)]
        if (authorizers === undefined)
          throw new Error(`the authorization of "${route.name}" was never checked`)
        const external =
          authorization.external === undefined ? undefined : openExternal(route.name, authorization.external)
        const asking: NamedAuthorizer[] =
          external === undefined
            ? []
            : [{ name: 'external', authorize: (request, reply) => external.authorize(request, reply) }]
        const guard = new RouteAuthorization(
          [...authorizers, ...asking],
          challengeOf(auth, realm),
          (error) => {
            quiet.say(`broken ${route.name}`, (keptBack) => {
              const about = { route: route.name, why: messageOf(error), keptBack }
              app.log.warn(about, 'denied, since it could not be decided')
            })
          },
        )
        guarded.push({ route: route.name, guard, external })
        return (request, reply) => guard.check(request, reply)
      },
    })

    app.upstreams.measure({
      name: 'authorization_decisions_total',
      help: 'Requests of routes with an authorization, by what was decided; failed ones were denied since it could not be.',
      type: 'counter',
      labels: ['route', 'result'],
      collect(add) {
        for (const { route, guard } of guarded)
          for (const [result, count] of Object.entries(guard.tally)) add(count, route, result)
      },
    })
    app.upstreams.measure({
      name: 'authorization_external_total',
      help: 'Answers of the services that authorize; cached ones were kept from before, failed ones did not come.',
      type: 'counter',
      labels: ['route', 'result'],
      collect(add) {
        for (const { route, external } of guarded)
          for (const [result, count] of Object.entries(external?.tally ?? {})) add(count, route, result)
      },
    })
    app.addHook('onClose', async () => {
      for (const service of services) service.close()
    })
  },
  { name: 'authorization', dependencies: ['config', 'upstreams', 'transport', 'routing'] },
)
