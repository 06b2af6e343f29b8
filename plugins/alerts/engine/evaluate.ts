import type { Condition, Scope, Term, Test } from '../rules/rule.ts'
import type { Counters, Sources } from './counters.ts'

type Numbers = Pick<Counters, 'increase' | 'watched'> & Pick<Sources, 'gauge'>

/** What a term comes to now; undefined where it cannot be told. */
export function termValue(term: Term, scope: Scope, numbers: Numbers): number | undefined {
  switch (term.kind) {
    case 'share': {
      const requests = numbers.increase(scope, 'requests', term.over)
      const part = numbers.increase(scope, term.part, term.over)
      if (requests === undefined || part === undefined || requests <= 0) return undefined
      return requests < term.atLeast ? undefined : part / requests
    }
    case 'rate': {
      if (!numbers.watched(scope, term.of, term.over)) return undefined
      const increase = numbers.increase(scope, term.of, term.over)
      return increase === undefined ? undefined : (increase * 1000) / term.over
    }
    case 'gauge':
      return numbers.gauge(scope, term.of)
    case 'part': {
      const whole = numbers.gauge(scope, term.whole)
      const part = numbers.gauge(scope, term.of)
      return whole === undefined || part === undefined || whole <= 0 ? undefined : part / whole
    }
  }
}

const holds = (value: number, { is, limit }: Test): boolean =>
  is === 'above' ? value > limit : value < limit

/** The value of the first term of the first row that holds; undefined where none does. */
export function evaluate(condition: Condition, scope: Scope, numbers: Numbers): number | undefined {
  for (const row of condition) {
    let first: number | undefined
    const all = row.every((test) => {
      const value = termValue(test.term, scope, numbers)
      first ??= value
      return value !== undefined && holds(value, test)
    })
    if (all && first !== undefined) return first
  }
  return undefined
}
