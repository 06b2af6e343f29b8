import type { FastifyPluginAsync } from 'fastify'
import Type, { type Static } from 'typebox'
import type { Target, Upstream } from '../plugins/upstreams/contract.ts'

const NewTarget = Type.Object(
  {
    origin: Type.String(),
    weight: Type.Optional(Type.Number({ minimum: 0 })),
    tier: Type.Optional(Type.Integer({ minimum: 0, maximum: 9 })),
  },
  { additionalProperties: false },
)
const TargetChange = Type.Object(
  { weight: Type.Optional(Type.Number({ minimum: 0 })), draining: Type.Optional(Type.Boolean()) },
  { additionalProperties: false, minProperties: 1 },
)
interface UpstreamParams {
  upstream: string
}
interface TargetParams extends UpstreamParams {
  target: string
}

function shown({ origin, weight, tier, inflight, draining, share }: Target, eligible: readonly Target[]) {
  const usable = eligible.some((target) => target.origin === origin)
  return { origin, weight, tier, inflight, draining, share, usable }
}

function listed(upstream: Upstream) {
  const eligible = upstream.eligible()
  return { name: upstream.name, targets: upstream.targets.map((target) => shown(target, eligible)) }
}

class NotFoundError extends Error {
  readonly statusCode = 404
}

/** The upstreams and their targets, to look at and to change while running. Lost on a restart. */
const admin: FastifyPluginAsync = async (app) => {
  const listener = app.admin
  if (!listener) return

  const upstreamOf = ({ upstream }: UpstreamParams): Upstream => {
    const found = app.upstreams.upstreams.get(upstream)
    if (found === undefined) throw new NotFoundError(`no upstream is named "${upstream}"`)
    return found
  }
  const targetOf = (params: TargetParams): [Upstream, Target] => {
    const upstream = upstreamOf(params)
    const target = upstream.targets.find(({ origin }) => origin === params.target)
    if (target === undefined)
      throw new NotFoundError(`"${params.target}" is no target of "${params.upstream}"`)
    return [upstream, target]
  }

  listener.get('/upstreams', async () => [...app.upstreams.upstreams.values()].map(listed))

  listener.get<{ Params: UpstreamParams }>('/upstreams/:upstream', async ({ params }) =>
    listed(upstreamOf(params)),
  )

  listener.post<{ Params: UpstreamParams; Body: Static<typeof NewTarget> }>(
    '/upstreams/:upstream/targets',
    { schema: { body: NewTarget } },
    async ({ params, body }, reply) => {
      const upstream = upstreamOf(params)
      try {
        const target = upstream.add(body)
        reply.code(201)
        return shown(target, upstream.eligible())
      } catch (error) {
        throw Object.assign(error as Error, { statusCode: 400 })
      }
    },
  )

  listener.patch<{ Params: TargetParams; Body: Static<typeof TargetChange> }>(
    '/upstreams/:upstream/targets/:target',
    { schema: { body: TargetChange } },
    async ({ params, body }) => {
      const [upstream, target] = targetOf(params)
      if (body.weight !== undefined) upstream.setWeight(target, body.weight)
      if (body.draining === true) upstream.drain(target)
      if (body.draining === false) upstream.undrain(target)
      return shown(target, upstream.eligible())
    },
  )

  // Answers at once: the target is gone when its last request has ended.
  listener.delete<{ Params: TargetParams }>(
    '/upstreams/:upstream/targets/:target',
    async ({ params }, reply) => {
      const [upstream, target] = targetOf(params)
      upstream.remove(target).catch((error) => app.log.error({ err: error }, 'a target could not be removed'))
      reply.code(202)
      return shown(target, upstream.eligible())
    },
  )
}

export default admin
