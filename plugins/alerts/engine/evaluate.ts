import type { Condition, Scope, Term, Test } from '../rules/rule.ts'
import type { Counters, Sources } from './counters.ts'

type Numbers = Pick<Counters, 'increase' | 'watched'> & Pick<Sources, 'gauge'>

/**
 * A number where something holds, `false` where it does not, undefined where that cannot be told: what is not known
 * begins no alert, and ends none.
 */
export type Verdict = number | false | undefined

/** What a term comes to now; `false` where it is known to say nothing, undefined where it cannot be told. */
export function termValue(term: Term, scope: Scope, numbers: Numbers): Verdict {
  switch (term.kind) {
    case 'share': {
      const requests = numbers.increase(scope, 'requests', term.over)
      const part = numbers.increase(scope, term.part, term.over)
      if (requests === undefined || part === undefined) return undefined
      if (requests >= term.atLeast) return part / requests
      // Too few were seen: of the whole window, or only of what of it was watched.
      return numbers.watched(scope, 'requests', term.over) ? false : undefined
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

/** The value of the first term, where all tests hold. One that fails settles it, whatever is not known of the others. */
function rowVerdict(row: readonly Test[], scope: Scope, numbers: Numbers): Verdict {
  const values: (number | undefined)[] = []
  for (const test of row) {
    const value = termValue(test.term, scope, numbers)
    if (value === false || (value !== undefined && !holds(value, test))) return false
    values.push(value)
  }
  return values.includes(undefined) ? undefined : values[0]
}

/** The value of the first row that holds. None does, only if that is known of each. */
export function evaluate(condition: Condition, scope: Scope, numbers: Numbers): Verdict {
  let verdict: Verdict = false
  for (const row of condition) {
    const one = rowVerdict(row, scope, numbers)
    if (typeof one === 'number') return one
    if (one === undefined) verdict = undefined
  }
  return verdict
}
