import type { FastifyPluginAsync } from 'fastify'
import { decimal, flag, integer, object, optional, text } from '../plugins/config/kit.ts'
import { read } from '../plugins/config/validate.ts'
import type { Target, Upstream } from '../plugins/upstreams/contract.ts'

const newTarget = object({
  origin: text(),
  weight: optional(decimal({ minimum: 0 })),
  tier: optional(integer({ minimum: 0, maximum: 9 })),
})
const targetChange = object({ weight: optional(decimal({ minimum: 0 })), draining: optional(flag()) })

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

  listener.post<{ Params: UpstreamParams }>(
    '/upstreams/:upstream/targets',
    async ({ params, body }, reply) => {
      const upstream = upstreamOf(params)
      const spec = read(newTarget, body)
      try {
        const target = upstream.add(spec)
        reply.code(201)
        return shown(target, upstream.eligible())
      } catch (error) {
        throw Object.assign(error as Error, { statusCode: 400 })
      }
    },
  )

  listener.patch<{ Params: TargetParams }>(
    '/upstreams/:upstream/targets/:target',
    async ({ params, body }) => {
      const [upstream, target] = targetOf(params)
      const { weight, draining } = read(targetChange, body)
      if (weight === undefined && draining === undefined)
        throw Object.assign(new TypeError('changes nothing; say "weight" or "draining"'), { statusCode: 400 })
      if (weight !== undefined) upstream.setWeight(target, weight)
      if (draining === true) upstream.drain(target)
      if (draining === false) upstream.undrain(target)
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
