/**
 * A rule as both sides read it: the engine evaluates it here, `prometheus/` prints it as PromQL. There is one
 * definition of what a rule means, and it is this.
 */

/** What a rule is about. */
export type Scope =
  | { readonly kind: 'gateway' }
  | { readonly kind: 'route'; readonly name: string }
  | { readonly kind: 'upstream'; readonly name: string }

/** Something that only grows. `slowerThan` is in milliseconds. */
export type Counter = 'requests' | 'errors' | 'rate-limited' | { readonly slowerThan: number }

/**
 * Something that is as it is now, summed over the upstreams of the scope. `usable`: targets that a request could get;
 * `expected`: those of the tiers in use and of the tiers before them, draining ones left out; `inflight` and
 * `capacity`: attempts under way, and how many there may be at usable targets; `certificate`: seconds until the first
 * one that the gateway shows runs out. `usable`, `expected` and `capacity` are not known before each target's first
 * health check.
 */
export type Gauge =
  | 'usable'
  | 'expected'
  | 'open-breakers'
  | 'inflight'
  | 'capacity'
  | 'panic'
  | 'certificate'

/** A number, or unknown where there is nothing to tell it from. Windows are in milliseconds. */
export type Term =
  /**
   * Of the requests in the window, the share that `part` counts. Below `atLeast` requests no test of it holds; if part of
   * the window was not watched, it is unknown.
   */
  | { readonly kind: 'share'; readonly part: Counter; readonly over: number; readonly atLeast: number }
  /** Per second. Unknown until the window has been watched whole. */
  | { readonly kind: 'rate'; readonly of: Counter; readonly over: number }
  | { readonly kind: 'gauge'; readonly of: Gauge }
  /** Unknown where `whole` is 0. */
  | { readonly kind: 'part'; readonly of: Gauge; readonly whole: Gauge }

export interface Test {
  readonly term: Term
  readonly is: 'above' | 'below'
  readonly limit: number
}

/** Holds if all the tests of any of its rows do. */
export type Condition = readonly (readonly Test[])[]

export type Labels = Readonly<Record<string, string>>

export type Action =
  | { readonly kind: 'drain'; readonly upstream: string; readonly target: string }
  | { readonly kind: 'split'; readonly route: string; readonly shares: Readonly<Record<string, number>> }
  | { readonly kind: 'shed'; readonly scope: Scope; readonly share: number }

/** Ready to be evaluated. Durations are in milliseconds. */
export interface Rule {
  readonly name: string
  readonly severity: string
  readonly scope: Scope
  readonly condition: Condition
  /** What holds an alert that fires already: the same, or a lower bar (hysteresis). */
  readonly staysWhile: Condition
  /** The condition has to hold for so long. */
  readonly holdFor: number
  /** An alert goes on firing for so long after its condition has last held. */
  readonly keepFiring: number
  /** `alertname`, `severity`, the scope and the user's own. What tells gateways apart is added when an alert is told of. */
  readonly labels: Labels
  /** With `{{ $value }}` and `{{ $labels.name }}` still in them. */
  readonly annotations: Labels
  readonly action: Action | undefined
}

export const scopeKey = (scope: Scope): string =>
  scope.kind === 'gateway' ? '' : `${scope.kind} ${scope.name}`

export const counterKey = (counter: Counter): string =>
  typeof counter === 'string' ? counter : `slower than ${counter.slowerThan}`

/** All the terms of a rule. */
export function* termsOf({ condition, staysWhile }: Pick<Rule, 'condition' | 'staysWhile'>): Generator<Term> {
  for (const rows of condition === staysWhile ? [condition] : [condition, staysWhile]) {
    for (const row of rows) for (const { term } of row) yield term
  }
}

/** The counters that a term is told from, each with its window. */
export function countersOf(term: Term): readonly (readonly [Counter, number])[] {
  if (term.kind === 'share') {
    return [
      [term.part, term.over],
      ['requests', term.over],
    ]
  }
  return term.kind === 'rate' ? [[term.of, term.over]] : []
}
