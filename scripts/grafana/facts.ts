/** What of a config decides which metrics there are. */
import type { GatewayConfig } from '../../plugins/config/define.ts'

export interface Facts {
  /** Of each target. */
  readonly perTarget: false | 'counters' | 'histograms'
  readonly breakers: boolean
  readonly checks: boolean
  readonly adaptive: boolean
  readonly failover: boolean
  readonly limits: boolean
  readonly alerts: boolean
  /** Somebody is told of alerts. */
  readonly notifies: boolean
  /** Something is done about them. */
  readonly acts: boolean
  readonly certificates: boolean
  readonly tiers: boolean
}

/** Concerns may have been taken out: what they add to the config is not there then. */
type Written = Partial<GatewayConfig>

export function factsOf(config: GatewayConfig): Facts {
  const { metrics, listeners, server, alerts, rateLimits }: Written = config
  const upstreams = Object.values(config.upstreams) as readonly Partial<(typeof config.upstreams)[string]>[]
  const routes = config.routes as readonly Partial<(typeof config.routes)[number]>[]
  const limited = [...upstreams, ...routes].some(({ rateLimit }) => rateLimit !== undefined)
  const { limits = [], plans = {} } = rateLimits ?? {}
  const common = limits.length > 0 || Object.keys(plans).length > 0
  return {
    perTarget: metrics?.perTarget ?? false,
    breakers: upstreams.some(({ circuitBreaker }) => circuitBreaker?.enabled === true),
    checks: upstreams.some(({ healthCheck }) => healthCheck !== undefined),
    adaptive: upstreams.some(({ adaptiveConcurrency }) => adaptiveConcurrency?.enabled === true),
    failover: upstreams.some(({ failover }) => failover !== undefined),
    limits: limited || common,
    alerts: alerts !== undefined,
    notifies: (alerts?.notify ?? []).length > 0,
    acts: (alerts?.rules ?? []).some(({ action }) => action !== undefined),
    certificates: [server, ...(listeners ?? []), ...upstreams].some((one) => one?.tls?.cert !== undefined),
    tiers: upstreams.some(({ targets = [] }) => targets.some(({ tier }) => tier > 0)),
  }
}
