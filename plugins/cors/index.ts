import type { FastifyInstance, FastifyReply } from 'fastify'
import fp from 'fastify-plugin'
import { originForbidden } from './errors.ts'
import { CorsPolicy, isPreflight, varying } from './policy.ts'
import type { CorsConfig } from './schema.ts'

type Route = Parameters<Parameters<FastifyInstance['addGuard']>[0]['forRoute']>[0]

function vary(reply: FastifyReply, name: string): void {
  reply.header('vary', varying(String(reply.getHeader('vary') ?? ''), name))
}

/** Takes out what the upstream says to browsers of other origins: it knows nothing of this config. */
function forget(reply: FastifyReply): void {
  for (const name in reply.getHeaders()) if (name.startsWith('access-control-')) reply.removeHeader(name)
}

export default fp(
  async (app) => {
    const ofRoute = ({ config }: Route): CorsConfig | undefined => {
      if (config.cors === undefined) return app.gateway.cors
      return config.cors.enabled ? config.cors : undefined
    }
    const policies = new Map<Route, CorsPolicy>()
    for (const route of app.compiledRoutes) {
      const config = ofRoute(route)
      if (config !== undefined)
        policies.set(route, new CorsPolicy({ ...config, origins: config.origins ?? [] }, route.match.methods))
    }
    if (policies.size === 0) return

    app.addGuard({
      name: 'cors',
      stage: 'cors',
      forRoute(route) {
        const policy = policies.get(route)
        if (policy === undefined) return undefined
        return ({ headers }) => {
          if (policy.hijacks(headers)) throw originForbidden()
        }
      },
    })
    // Before authentication, since a browser asks beforehand without credentials, but no flood of it is for free.
    app.addGuard({
      name: 'cors: preflights',
      stage: 'preflight',
      answersPreflight: (route) => policies.has(route),
      forRoute(route) {
        const policy = policies.get(route)
        if (policy === undefined) return undefined
        return (request, reply) => {
          if (!isPreflight(request.method, request.headers)) return
          const said = policy.preflight(request.headers)
          if (said === undefined) throw originForbidden()
          for (const [name, value] of said) reply.header(name, value)
          const { preflightVary } = policy
          if (preflightVary !== '') reply.header('vary', preflightVary)
          reply.code(204).send()
        }
      },
    })

    // When all else is done with the answer, whoever made it: errors are to be read by the page too.
    app.addHook('onSend', (request, reply, payload, done) => {
      const route = request.routeOptions.config.gateway
      const policy = route === undefined ? undefined : policies.get(route)
      if (policy !== undefined && !isPreflight(request.method, request.headers)) {
        forget(reply)
        for (const [name, value] of policy.answer(request.headers)) reply.header(name, value)
        if (policy.varies) vary(reply, 'Origin')
      }
      done(null, payload)
    })
  },
  { name: 'cors', dependencies: ['config', 'routing'] },
)
