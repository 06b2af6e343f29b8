import fp from 'fastify-plugin'
import { NO_OPTIONS, optionProblems } from '../config/kind-options.ts'
import { messageOf, written } from '../config/messages.ts'
import { suggestion } from '../config/suggest.ts'
import type { Schema } from '../config/typed.ts'
import { read } from '../config/validate.ts'
import { Quiet } from '../upstreams/quiet.ts'
import { createApiKey } from './api-key/create.ts'
import type {
  Authenticator,
  AuthenticatorContext,
  AuthenticatorKinds,
  CreateAuthenticator,
} from './authenticator.ts'
import { createBasic } from './basic/create.ts'
import { consumerReader } from './consumers.ts'
import { type Accepted, RouteAuthentication, type WithoutCredential } from './guard.ts'
import { createIntrospection } from './introspection/create.ts'
import { createJwt } from './jwt/create.ts'
import { createMtls, dropClientCert } from './mtls/create.ts'
import { acceptedKinds, kinds } from './schema.ts'
import { createSignature } from './signature/create.ts'

/** An authenticator that cannot tell is told of so often, however many requests it costs. */
const REPORT_EVERY_MS = 30_000

declare module 'fastify' {
  interface FastifyInstance {
    /**
     * Adds a way of telling who a request comes from, which routes accept under its name. Throws if there is one of
     * that name. Before the server is ready. With `schema`, written with the kit of `plugins/config/kit.ts`, its options
     * are checked at the start and read, with defaults; without, it takes none. What no schema can say `create` may
     * refuse by throwing.
     */
    defineAuthenticator<K extends keyof AuthenticatorKinds, R = AuthenticatorKinds[K]>(
      kind: K,
      create: CreateAuthenticator<R>,
      schema?: Schema<AuthenticatorKinds[K], R>,
    ): void
  }
}

interface Defined {
  readonly create: CreateAuthenticator<never>
  /** Undefined for the kinds of this folder, whose options are part of the config's own schema. */
  readonly schema: Schema<unknown> | undefined
}

interface RouteTally {
  readonly route: string
  readonly accepted: readonly Accepted[]
  readonly without: WithoutCredential
}

export default fp(
  async (app) => {
    const defined = new Map<string, Defined>([
      ['jwt', { create: createJwt, schema: undefined }],
      ['api-key', { create: createApiKey, schema: undefined }],
      ['basic', { create: createBasic, schema: undefined }],
      ['mtls', { create: createMtls, schema: undefined }],
      ['introspection', { create: createIntrospection, schema: undefined }],
      ['signature', { create: createSignature, schema: undefined }],
    ])
    let ready = false
    app.decorate('defineAuthenticator', (kind, create, schema = NO_OPTIONS as never) => {
      if (ready) throw new Error(`"${kind}" comes too late: the server is ready`)
      if (defined.has(kind)) throw new Error(`"${kind}" authenticates already; take another name`)
      defined.set(kind, { create, schema })
    })

    const options = app.gateway.auth as unknown as Readonly<Record<string, unknown>>
    const context: AuthenticatorContext = {
      app,
      date: () => Date.now(),
      now: () => performance.now(),
      random: () => Math.random(),
      realm: app.gateway.auth.realm,
      consumer: consumerReader(app.gateway.consumers),
    }

    app.checkGateway(({ auth = {}, routes }) => [
      ...Object.entries(auth).flatMap(([key, given]) => {
        if (key === 'realm') return []
        const kind = defined.get(key)
        const path = written('auth', key)
        if (kind !== undefined)
          return kind.schema === undefined ? [] : optionProblems(kind.schema, given, path)
        return [
          { path, message: `no kind of credential is called "${key}"; ${suggestion(key, defined.keys())}` },
        ]
      }),
      ...routes.flatMap(({ auth: wanted }, i) =>
        acceptedKinds(wanted).flatMap((kind) => {
          const path = written('routes', i, 'auth')
          if (!defined.has(kind)) {
            return [
              {
                path,
                message: `no kind of credential is called "${kind}"; ${suggestion(kind, defined.keys())}`,
              },
            ]
          }
          if (!Object.hasOwn(kinds, kind) || Object.hasOwn(auth, kind)) return []
          const message = `accepts "${kind}", which is not set up; add \`${written('auth', kind)}\` to the config`
          return [{ path, message }]
        }),
      ),
    ])

    const made = new Map<string, Authenticator>()
    const authenticator = (kind: string): Authenticator => {
      const known = made.get(kind)
      if (known !== undefined) return known
      const { create, schema } = defined.get(kind) ?? {}
      if (create === undefined) throw new Error(`no kind of credential is called "${kind}"`)
      try {
        const given = options[kind] ?? {}
        const fresh = create((schema === undefined ? given : read(schema, given)) as never, context)
        made.set(kind, fresh)
        return fresh
      } catch (error) {
        const message = messageOf(error)
        throw new Error(`${written('auth', kind)}: ${message}`, { cause: error })
      }
    }
    const quiet = new Quiet(context.now, REPORT_EVERY_MS)
    const failed = (kind: string, error: unknown): void =>
      quiet.say(kind, (keptBack) => {
        app.log.error({ err: error, kind, keptBack }, 'credentials cannot be checked: requests get 503')
      })

    if (app.gateway.auth.mtls?.fromProxies === true) {
      const drop = dropClientCert(app.gateway.server.trustProxy)
      // On every route: an upstream that believes it does not know which ones ask for certificates.
      app.addGuard({ name: 'client-cert', stage: 'authenticate', forRoute: () => drop })
    }
    const tallies: RouteTally[] = []
    app.addGuard({
      name: 'auth',
      stage: 'authenticate',
      forRoute({ name, config }) {
        const wanted = acceptedKinds(config.auth)
        if (wanted.length === 0) return undefined
        const accepted = wanted.map((kind) => ({
          kind,
          authenticator: authenticator(kind),
          tally: { accepted: 0, refused: 0, unavailable: 0 },
        }))
        const without = { missing: 0, anonymous: 0 }
        tallies.push({ route: name, accepted, without })
        const guard = new RouteAuthentication(accepted, config.auth?.optional ?? false, without, failed)
        return (request) => guard.check(request)
      },
    })
    app.upstreams.measure({
      name: 'auth_decisions_total',
      help: 'Requests of routes that demand a credential, by the kind that decided and what it said.',
      type: 'counter',
      labels: ['route', 'kind', 'result'],
      collect(add) {
        for (const { route, accepted, without } of tallies) {
          for (const { kind, tally } of accepted) {
            for (const [result, count] of Object.entries(tally)) add(count, route, kind, result)
          }
          for (const [result, count] of Object.entries(without)) add(count, route, 'none', result)
        }
      },
    })

    // After routing's own, which has asked for the guards: what no route accepts is made here.
    app.addHook('onReady', async () => {
      ready = true
      for (const kind of Object.keys(options)) if (defined.has(kind)) authenticator(kind)
      await Promise.all([...made.values()].map((one) => one.start?.()))
    })
    app.addHook('onClose', async () => {
      await Promise.all([...made.values()].map((one) => one.stop?.()))
    })
  },
  { name: 'auth', dependencies: ['config', 'upstreams', 'routing'] },
)
