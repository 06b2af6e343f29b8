import type { Collector } from '../upstreams/measures.ts'
import type { OpenBudget } from './retry-budget.ts'

/** What is left of the budgets of each upstream, and how often there was nothing left. */
export function budgetCollectors(
  budgets: ReadonlyMap<string, { readonly retries: OpenBudget; readonly hedges: OpenBudget }>,
): Collector[] {
  const collector = (
    name: string,
    type: Collector['type'],
    help: string,
    numberOf: (budget: OpenBudget) => number,
  ): Collector => ({
    name,
    help,
    type,
    labels: ['upstream', 'budget'],
    collect(add) {
      for (const [upstream, { retries, hedges }] of budgets) {
        add(numberOf(retries), upstream, 'retries')
        add(numberOf(hedges), upstream, 'hedges')
      }
    },
  })
  return [
    collector('retry_budget_left', 'gauge', 'Retries, or hedges, that could be made now.', (budget) =>
      budget.left(),
    ),
    collector(
      'retry_budget_refusals_total',
      'counter',
      'Retries, or hedges, that were not made because the budget was spent.',
      (budget) => budget.refusals,
    ),
  ]
}
