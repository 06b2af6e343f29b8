import type { GatewayConfig } from '../config/define.ts'
import type { Problem } from '../config/errors.ts'
import {
  custom,
  decimal,
  duration,
  integer,
  nonEmptyList,
  object,
  oneOf,
  section,
  size,
  text,
  withDefault,
} from '../config/kit.ts'
import { written } from '../config/messages.ts'
import { originProblem, serverOf } from './origin.ts'

const target = {
  /** `http://host:port`, `https://host:port` or `unix:/path/to.sock`. */
  origin: custom<string>((value) => originProblem(value)),
  /** Share of the traffic under weighted policies, relative to the other targets. Default 1. */
  weight: withDefault(decimal({ minimum: 0, maximum: 1_000_000 }), 1),
  /** 0 is used first, 1 when tier 0 cannot carry the load, and so on. Default 0. */
  tier: withDefault(oneOf([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]), 0),
  /** Where it stands (a data centre, say): for policies that prefer what is near. Default ''. */
  zone: withDefault(text(), ''),
}

const targets = nonEmptyList(object(target), { noun: 'target' })

/** Bounds on what one target is asked to carry. */
const limits = section({
  /** Connections to each target (with HTTP/2: streams), those of tunnels apart. Default 128. */
  connections: withDefault(integer({ minimum: 1, maximum: 65_535 }), 128),
  /** Requests that wait for a connection to each target; one more is sent elsewhere or answered 503. Default 256. */
  queue: withDefault(integer({ minimum: 0, maximum: 1_000_000 }), 256),
  /** One that has waited for this long is sent elsewhere or answered 503. Default 1s. */
  queueTimeout: withDefault(duration({ maximum: '10m' }), '1s'),
  /**
   * Tunnels (WebSockets and other upgrades) to each target, for as long as they are open; one more goes to another
   * target or is answered 503. They take no connection and no place in the queue from requests. Default 1024, as many
   * as Envoy's circuit breaker lets through.
   */
  tunnels: withDefault(integer({ minimum: 1, maximum: 1_000_000 }), 1024),
  /**
   * While requests wait for a connection, a client that takes its answer or sends its body slower than this, per
   * second, gives its connection up. 0 is never. Default 1KiB.
   */
  minRate: withDefault(size({ minimum: 0 }), '1KiB'),
})

const tiers = {
  /**
   * Part of a tier's targets. When fewer may be used, and all tiers together cannot carry the traffic, unhealthy
   * targets are used as well: a trickle each until they answer, then fully. 0 is never. Default 0.5.
   */
  panicThreshold: withDefault(decimal({ minimum: 0, maximum: 1 }), 0.5),
  /** A tier that got better is given more traffic only after it has been so for this long. Default 10s. */
  failBackAfter: withDefault(duration({ maximum: '1h' }), '10s'),
}

export const schema = { target, upstream: { targets, limits, ...tiers } }

declare module '../config/define.ts' {
  interface TargetSchema {
    origin: typeof target.origin
    weight: typeof target.weight
    tier: typeof target.tier
    zone: typeof target.zone
  }
  interface UpstreamSchema {
    limits: typeof limits
    panicThreshold: typeof tiers.panicThreshold
    failBackAfter: typeof tiers.failBackAfter
  }
}

export function check(config: GatewayConfig): readonly Problem[] {
  const problems: Problem[] = []
  for (const [name, { targets }] of Object.entries(config.upstreams)) {
    const path = written('upstreams', name, 'targets')
    const seen = new Map<string, number>()
    for (const [index, { origin }] of targets.entries()) {
      if (originProblem(origin) !== undefined) continue
      const server = serverOf(origin)
      const first = seen.get(server)
      if (first === undefined) seen.set(server, index)
      else {
        problems.push({
          path: `${path}[${index}].origin`,
          message: `"${origin}" is ${path}[${first}] already; give it a larger weight instead of a second entry`,
        })
      }
    }
    if (targets.length > 0 && targets.every(({ weight }) => weight === 0)) {
      problems.push({
        path,
        message: 'all weights are 0, so no target could be picked; give one a weight above 0',
      })
    }
    const tiers = new Set(targets.map(({ tier }) => tier))
    const highest = Math.max(...tiers)
    for (let tier = 0; tier < highest; tier++) {
      if (!tiers.has(tier as 0)) {
        problems.push({
          path,
          message: `tier ${highest} is used but tier ${tier} is empty; count tiers up from 0`,
        })
        break
      }
    }
  }
  return problems
}
