import type { Condition, Counter, Gauge, Labels, Rule, Scope, Term, Test } from '../rules/rule.ts'
import { duration, gaugeSeries, quoted, recordedName, selected, seriesOf, watchedSeries } from './names.ts'

/** A series that is computed once and used by several rules. */
export interface Recording {
  readonly record: string
  readonly expr: string
  /** What it has anyway; said once more, since promtool tells series apart by what it reads. */
  readonly labels: Labels
  /** Its window in milliseconds. */
  readonly over: number
}

/** A gateway that was not scraped for so long is gone, and its alerts with it. As long as Prometheus itself looks back. */
const LATELY = '5m'

/** Gauges that are not known before the first checks. */
const UNCHECKED: ReadonlySet<Gauge> = new Set(['usable', 'expected', 'capacity'])

/** Prints rules as PromQL that means what the engine does, and gathers what is worth recording. */
export class Printer {
  readonly recordings = new Map<string, Recording>()
  /** What tells gateways apart. */
  readonly #each: readonly string[]
  readonly #job: string
  readonly #watchedSeconds: string

  /**
   * @param job what Prometheus calls the gateways of this config
   * @param fleet over all of them together, instead of one by one as the engine has it
   */
  constructor(job: string, fleet: boolean) {
    this.#job = job
    this.#each = fleet ? ['job'] : ['job', 'instance']
    this.#watchedSeconds = watchedSeries(job)
  }

  /**
   * What begins it, or what lets it stay if it fires already: the lower bar, and that nothing can be told (`unknown`),
   * where its value is not a number.
   */
  expression({ scope, condition, staysWhile, labels }: Rule): string {
    const starts = this.#condition(condition, scope)
    const { alertname = '', severity = '' } = labels
    const own = selected(
      'ALERTS',
      this.#job,
      `alertname=${quoted(alertname)}`,
      `severity=${quoted(severity)}`,
      'alertstate="firing"',
    )
    const firing = `count by (${this.#by(scope)}) (${own})`
    const ways = [starts]
    if (staysWhile !== condition)
      ways.push(`${bracketed(this.#condition(staysWhile, scope))}\nand on (${this.#by(scope)}) ${own}`)
    const unknown = this.#unknown(staysWhile, scope)
    if (unknown !== undefined) ways.push(`${firing} * NaN\nand on (${this.#on}) ${bracketed(unknown)}`)
    return either(ways)
  }

  /** That the condition is not known to fail, though it is not known to hold either; undefined where that cannot be. */
  #unknown(condition: Condition, scope: Scope): string | undefined {
    const rows = new Set<string>()
    for (const row of condition) {
      const [first, ...others] = row.map((test) => ({ test, unknown: this.#unknownTest(test, scope) }))
      if (first?.unknown === undefined) continue
      if (others.length === 0) rows.add(first.unknown)
      else {
        const each = [first, ...others].map(({ test, unknown }) =>
          bracketed(either([this.#test(test, scope), ...(unknown === undefined ? [] : [unknown])])),
        )
        rows.add(each.join(`\nand on (${this.#on})\n`))
      }
    }
    return rows.size === 0 ? undefined : either([...rows])
  }

  #unknownTest({ term }: Test, scope: Scope): string | undefined {
    switch (term.kind) {
      case 'share':
        return `${this.#unwatched(term.over)}\nunless on (${this.#on})\n${this.#requests(term, scope)} >= ${term.atLeast}`
      case 'rate':
        return this.#unwatched(term.over)
      case 'gauge':
        return UNCHECKED.has(term.of) ? this.#notANumber(this.#gauge(scope, term.of)) : undefined
      case 'part': {
        const whole = this.#gauge(scope, term.whole)
        return `${whole} == 0\nor\n${this.#notANumber(whole)}`
      }
    }
  }

  /** Gateways that were there lately, but were not watched for so long. One that is gone is forgotten. */
  #unwatched(over: number): string {
    return `count_over_time(${this.#watchedSeconds}[${LATELY}])\nunless on (${this.#on})\n${this.#watched(over)}`
  }

  #watched(over: number): string {
    return `min by (${this.#on}) (${this.#watchedSeconds}) >= ${over / 1000}`
  }

  /** Gauges are not a number where they are not known. */
  #notANumber(gauge: string): string {
    return `${gauge} != ${gauge}`
  }

  #condition(condition: Condition, scope: Scope): string {
    const rows = condition.map((row) => row.map((test) => this.#test(test, scope)).join('\nand\n'))
    return either(rows)
  }

  #test({ term, is, limit }: Test, scope: Scope): string {
    const compared = `${this.#term(term, scope)} ${is === 'above' ? '>' : '<'} ${limit}`
    if (term.kind === 'share') return `${compared}\nand\n${this.#requests(term, scope)} >= ${term.atLeast}`
    return term.kind === 'rate' ? `${compared}\nand on (${this.#on}) ${this.#watched(term.over)}` : compared
  }

  /** How many there were in the window of a share. */
  #requests({ over }: { readonly over: number }, scope: Scope): string {
    const { all } = seriesOf(this.#job, scope, 'requests')
    return this.#record(
      scope,
      'requests',
      'increase',
      over,
      this.#sum(scope, `increase(${all}[${duration(over)}])`),
    )
  }

  #term(term: Term, scope: Scope): string {
    switch (term.kind) {
      case 'share': {
        const part = this.#grown(scope, term.part, term.over)
        // Not the histogram's own count, which leaves out upgraded connections: the engine's requests have them.
        const whole = this.#grown(scope, 'requests', term.over)
        return this.#record(scope, recordedName(term.part), 'ratio_rate', term.over, `${part}\n/\n${whole}`)
      }
      case 'rate': {
        const rate = this.#grown(scope, term.of, term.over)
        return this.#record(scope, recordedName(term.of), 'rate', term.over, rate)
      }
      case 'gauge':
        return this.#gauge(scope, term.of)
      case 'part':
        return `${this.#gauge(scope, term.of)} / (${this.#gauge(scope, term.whole)} > 0)`
    }
  }

  #grown(scope: Scope, counter: Counter, over: number): string {
    const series = seriesOf(this.#job, scope, counter)
    const rate = (of: string) => this.#sum(scope, `rate(${of}[${duration(over)}])`)
    if (series.but === undefined) return rate(series.all)
    return `(\n  ${rate(series.all)}\n  -\n  ${rate(series.but)}\n)`
  }

  #gauge(scope: Scope, gauge: Gauge): string {
    const series = gaugeSeries(this.#job, scope, gauge)
    if (gauge === 'certificate') return `(min by (${this.#by(scope)}) (${series[0]}) - time())`
    const sums = series.map((one) => this.#sum(scope, one))
    return sums.length === 1 ? (sums[0] as string) : `(${sums.join(' + ')})`
  }

  #sum(scope: Scope, of: string): string {
    return `sum by (${this.#by(scope)}) (${of})`
  }

  get #on(): string {
    return this.#each.join(', ')
  }

  #by({ kind }: Scope): string {
    return [...this.#each, ...(kind === 'gateway' ? [] : [kind])].join(', ')
  }

  /** Named as Prometheus advises: level:metric:operations. The name of the route or upstream stays a label. */
  #record(scope: Scope, what: string, how: string, over: number, expr: string): string {
    const record = `${scope.kind}:holdfast_${what}:${how}${duration(over)}`
    const labels = scope.kind === 'gateway' ? {} : { [scope.kind]: scope.name }
    this.recordings.set(`${record} ${expr}`, { record, expr, labels, over })
    return selected(
      record,
      this.#job,
      ...Object.entries(labels).map(([name, value]) => `${name}=${quoted(value)}`),
    )
  }
}

const bracketed = (text: string): string => `(\n${indented(text)}\n)`

const either = (ways: readonly string[]): string =>
  ways.length === 1 ? (ways[0] as string) : ways.map(bracketed).join('\nor\n')

function indented(text: string): string {
  return text
    .split('\n')
    .map((line) => `  ${line}`)
    .join('\n')
}
