import type { Condition, Counter, Gauge, Labels, Rule, Scope, Term, Test } from '../rules/rule.ts'
import { duration, gaugeSeries, quoted, recordedName, seriesOf, WATCHED } from './names.ts'

/** A series that is computed once and used by several rules. */
export interface Recording {
  readonly record: string
  readonly expr: string
  /** What it has anyway; said once more, since promtool tells series apart by what it reads. */
  readonly labels: Labels
  /** Its window in milliseconds. */
  readonly over: number
}

/** Prints rules as PromQL that means what the engine does, and gathers what is worth recording. */
export class Printer {
  readonly recordings = new Map<string, Recording>()
  /** What tells gateways apart. */
  readonly #each: readonly string[]

  /** @param fleet over all gateways together, instead of one by one as the engine has it */
  constructor(fleet: boolean) {
    this.#each = fleet ? [] : ['job', 'instance']
  }

  expression({ scope, condition, staysWhile, labels }: Rule): string {
    const starts = this.#condition(condition, scope)
    if (staysWhile === condition) return starts
    const { alertname = '', severity = '' } = labels
    const own = `ALERTS{alertname=${quoted(alertname)},severity=${quoted(severity)},alertstate="firing"}`
    const stays = this.#condition(staysWhile, scope)
    return `(\n${indented(starts)}\n)\nor\n(\n${indented(`(\n${indented(stays)}\n)\nand on (${this.#by(scope)}) ${own}`)}\n)`
  }

  #condition(condition: Condition, scope: Scope): string {
    const rows = condition.map((row) => row.map((test) => this.#test(test, scope)).join('\nand\n'))
    return rows.length === 1
      ? (rows[0] as string)
      : rows.map((row) => `(\n${indented(row)}\n)`).join('\nor\n')
  }

  #test({ term, is, limit }: Test, scope: Scope): string {
    const compared = `${this.#term(term, scope)} ${is === 'above' ? '>' : '<'} ${limit}`
    if (term.kind === 'share') {
      const { all } = seriesOf(scope, 'requests')
      const counted = this.#sum(scope, `increase(${all}[${duration(term.over)}])`)
      const requests = this.#record(scope, 'requests', 'increase', term.over, counted)
      return `${compared}\nand\n${requests} >= ${term.atLeast}`
    }
    if (term.kind !== 'rate') return compared
    const watched = this.#each.length === 0 ? `min(${WATCHED})` : WATCHED
    return `${compared}\nand on (${this.#each.join(', ')}) ${watched} >= ${term.over / 1000}`
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
    const series = seriesOf(scope, counter)
    const rate = (of: string) => this.#sum(scope, `rate(${of}[${duration(over)}])`)
    if (series.but === undefined) return rate(series.all)
    return `(\n  ${rate(series.all)}\n  -\n  ${rate(series.but)}\n)`
  }

  #gauge(scope: Scope, gauge: Gauge): string {
    const series = gaugeSeries(scope, gauge)
    if (gauge === 'certificate') return `(min by (${this.#by(scope)}) (${series[0]}) - time())`
    const sums = series.map((one) => this.#sum(scope, one))
    return sums.length === 1 ? (sums[0] as string) : `(${sums.join(' + ')})`
  }

  #sum(scope: Scope, of: string): string {
    return `sum by (${this.#by(scope)}) (${of})`
  }

  #by({ kind }: Scope): string {
    return [...this.#each, ...(kind === 'gateway' ? [] : [kind])].join(', ')
  }

  /** Named as Prometheus advises: level:metric:operations. The name of the route or upstream stays a label. */
  #record(scope: Scope, what: string, how: string, over: number, expr: string): string {
    const record = `${scope.kind}:holdfast_${what}:${how}${duration(over)}`
    const labels = scope.kind === 'gateway' ? {} : { [scope.kind]: scope.name }
    this.recordings.set(`${record} ${expr}`, { record, expr, labels, over })
    return scope.kind === 'gateway' ? record : `${record}{${scope.kind}=${quoted(scope.name)}}`
  }
}

function indented(text: string): string {
  return text
    .split('\n')
    .map((line) => `  ${line}`)
    .join('\n')
}
