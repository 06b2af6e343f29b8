import type { FastifyInstance, FastifyPluginAsync, FastifyRequest } from 'fastify'
import { decorated } from '../plugins/config/decorated.ts'
import { decimal, flag, integer, object, optional, text } from '../plugins/config/kit.ts'
import { read } from '../plugins/config/validate.ts'
import type { Target, Upstream } from '../plugins/upstreams/contract.ts'
import { GatewayError } from '../plugins/upstreams/errors.ts'

const weight = optional(decimal({ minimum: 0, maximum: 1_000_000 }))
const newTarget = object({
  origin: text(),
  weight,
  tier: optional(integer({ minimum: 0, maximum: 9 })),
  zone: optional(text()),
})
const targetChange = object({ weight, draining: optional(flag()) })

interface UpstreamParams {
  upstream: string
}
/** The rest of the path is an origin: its slashes may be there as they are. */
interface TargetParams extends UpstreamParams {
  '*': string
}

function shown(target: Target, eligible: readonly Target[]) {
  const { origin, weight, tier, zone, inflight, draining, share } = target
  return { origin, weight, tier, zone, inflight, draining, share, usable: eligible.includes(target) }
}

function listed(upstream: Upstream) {
  const eligible = upstream.eligible()
  return { name: upstream.name, targets: upstream.targets.map((target) => shown(target, eligible)) }
}

function notFound(told: string): GatewayError {
  return new GatewayError('GTW_NOT_FOUND', 404, 'client', told)
}

function badRequest(told: string): GatewayError {
  return new GatewayError('GTW_BAD_REQUEST', 400, 'client', told)
}

/** The upstreams and their targets, to look at and to change while running. Lost on a restart. */
const admin: FastifyPluginAsync = async (app) => {
  const listener = decorated<FastifyInstance>(app, 'admin')
  if (listener === undefined) return

  const upstreamOf = ({ upstream }: UpstreamParams): Upstream => {
    const found = app.upstreams.upstreams.get(upstream)
    if (found === undefined) throw notFound(`no upstream is named "${upstream}"`)
    return found
  }
  const targetOf = (params: TargetParams): [Upstream, Target] => {
    const upstream = upstreamOf(params)
    const wanted = params['*']
    const target = upstream.targets.find(({ origin }) => origin === wanted)
    if (target === undefined) {
      const example = encodeURIComponent('http://10.0.0.1:8080')
      throw notFound(
        `"${wanted}" is no target of "${upstream.name}"; write its origin as GET /upstreams/${upstream.name} ` +
          `shows it, percent-encoded if something on the way changes its slashes: ${example}`,
      )
    }
    return [upstream, target]
  }
  const announce = (upstream: Upstream, target: Target, name: string, why: string): void => {
    const none = upstream.eligible().length === 0
    app.upstreams.announce({
      name,
      upstream: upstream.name,
      target,
      by: 'admin',
      why: none ? `${why}; no target is left` : why,
      level: none ? 'warn' : 'info',
    })
  }
  const by = ({ ip }: FastifyRequest): string => `by ${ip}`

  listener.get('/upstreams', async () => [...app.upstreams.upstreams.values()].map(listed))

  listener.get<{ Params: UpstreamParams }>('/upstreams/:upstream', async ({ params }) =>
    listed(upstreamOf(params)),
  )

  listener.post<{ Params: UpstreamParams }>('/upstreams/:upstream/targets', async (request, reply) => {
    const upstream = upstreamOf(request.params)
    const spec = read(newTarget, request.body)
    let target: Target
    try {
      target = upstream.add(spec)
    } catch (error) {
      throw badRequest((error as Error).message)
    }
    const { weight, tier } = target
    announce(upstream, target, 'target-added', `${by(request)}, with weight ${weight} in tier ${tier}`)
    reply.code(201)
    return shown(target, upstream.eligible())
  })

  listener.patch<{ Params: TargetParams }>('/upstreams/:upstream/targets/*', async (request) => {
    const [upstream, target] = targetOf(request.params)
    const { weight, draining } = read(targetChange, request.body)
    if (weight === undefined && draining === undefined)
      throw badRequest('changes nothing; say "weight" or "draining"')
    if (weight !== undefined) {
      const before = target.weight
      upstream.setWeight(target, weight)
      announce(upstream, target, 'weight-set', `${by(request)}, from ${before} to ${weight}`)
    }
    if (draining === true) {
      void upstream.drain(target)
      announce(upstream, target, 'target-draining', by(request))
    } else if (draining === false) {
      upstream.undrain(target)
      announce(upstream, target, 'target-taken-back', by(request))
    }
    return shown(target, upstream.eligible())
  })

  // Answers at once: the target is gone when its last request has ended.
  listener.delete<{ Params: TargetParams }>('/upstreams/:upstream/targets/*', async (request, reply) => {
    const [upstream, target] = targetOf(request.params)
    const who = by(request)
    const removed = upstream.remove(target)
    announce(upstream, target, 'target-draining', `${who}, to be removed`)
    removed.then(
      () => {
        if (!upstream.targets.includes(target)) announce(upstream, target, 'target-removed', who)
      },
      (error) => app.log.error({ err: error }, 'a target could not be removed'),
    )
    reply.code(202)
    return shown(target, upstream.eligible())
  })
}

export default admin
