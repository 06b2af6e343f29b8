import fp from 'fastify-plugin'
import type { GatewayConfig } from '../config/define.ts'
import { parseDuration } from '../config/units.ts'
import { budgetCollectors } from './collectors.ts'
import { type HedgeOptions, Hedging, quantileOf } from './hedging.ts'
import { RetryAfter } from './retry-after.ts'
import { type OpenBudget, recentCount, retryBudget } from './retry-budget.ts'
import { failoverPolicy } from './retry-policy.ts'

/** How often targets that were spared are looked at. */
const SWEEP_MS = 250

type Options = GatewayConfig['upstreams'][string]['failover']

interface Kept {
  readonly options: Options
  readonly hedge: HedgeOptions
  readonly retries: OpenBudget
  readonly hedges: OpenBudget
}

export default fp(
  async (app) => {
    const context = { now: () => performance.now(), random: () => Math.random() }
    const kept = new Map<string, Kept>()
    for (const [name, { failover }] of Object.entries(app.gateway.upstreams)) {
      const { budget, hedge } = failover
      const quantile = quantileOf(hedge.after)
      const requests = recentCount(context.now)
      const hedges = { ratio: hedge.maxExtra, minPerSecond: hedge.minPerSecond }
      kept.set(name, {
        options: failover,
        hedge: { ...hedge, after: quantile === undefined ? (parseDuration(hedge.after) ?? 0) : { quantile } },
        retries: retryBudget(budget, context.now, requests),
        hedges: retryBudget(hedges, context.now, requests),
      })
    }
    const of = (upstream: string) => kept.get(upstream) as Kept
    const hedging = new Hedging(
      (upstream) => of(upstream).hedge,
      (upstream) => of(upstream).hedges,
      context.now,
    )
    const policy = failoverPolicy(
      (upstream) => of(upstream).options,
      (upstream) => of(upstream).retries,
      hedging,
      context,
    )
    app.upstreams.useFailover(policy)
    for (const collector of budgetCollectors(kept)) app.upstreams.measure(collector)

    const retryAfter = new RetryAfter(
      context,
      (upstream) => of(upstream).options.spareFor,
      (target) => app.upstreams.changed(target),
    )
    app.upstreams.addHealthSource(retryAfter)
    app.upstreams.onTargetChange(({ kind, target }) => {
      if (kind === 'removed') retryAfter.forget(target)
    })
    let sweeping: NodeJS.Timeout | undefined
    app.addHook('onReady', async () => {
      sweeping = setInterval(() => retryAfter.sweep(), SWEEP_MS).unref()
    })
    app.addHook('onClose', async () => clearInterval(sweeping))

    app.upstreams.subscribe((target, { kind }) => {
      // One in all: both budgets of an upstream are reckoned from the same count.
      if (kind !== 'abandoned') of(target.upstream).retries.deposit()
    })
  },
  { name: 'failover', dependencies: ['config', 'upstreams'] },
)
