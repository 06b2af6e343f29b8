import fp from 'fastify-plugin'
import type { GatewayConfig } from '../config/define.ts'
import { type RetryBudget, retryBudget } from './retry-budget.ts'
import { retryPolicy } from './retry-policy.ts'

type Options = GatewayConfig['upstreams'][string]['failover']

export default fp(
  async (app) => {
    const context = { now: () => performance.now(), random: () => Math.random() }
    const options = new Map<string, Options>()
    const budgets = new Map<string, RetryBudget>()
    for (const [name, { failover }] of Object.entries(app.gateway.upstreams)) {
      options.set(name, failover)
      budgets.set(name, retryBudget(failover.budget, context.now))
    }
    const budgetOf = (upstream: string) => budgets.get(upstream) as RetryBudget
    app.upstreams.useFailover(retryPolicy((upstream) => options.get(upstream) as Options, budgetOf, context))
    app.upstreams.subscribe((target, { kind }) => {
      if (kind !== 'abandoned') budgetOf(target.upstream).deposit()
    })
  },
  { name: 'failover', dependencies: ['config', 'upstreams'] },
)
