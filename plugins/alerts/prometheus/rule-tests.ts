import { type Counter, countersOf, type Gauge, type Rule, type Scope, termsOf } from '../rules/rule.ts'
import { duration, gaugeSeries, quoted, seriesOf, watchedSeries } from './names.ts'
import type { ExportOptions } from './rule-file.ts'
import type { Yaml } from './yaml.ts'

const INSTANCE = 'gateway'

/** A series of a test: what it begins with, and what is added at each step. */
interface Course {
  readonly from: number
  readonly step: number
}

/** A metric that a selector matches, of one gateway. */
function metric(series: string): string {
  const [, name = series, selectors = ''] = /^([^{]+)(?:\{(.*)\})?$/s.exec(series) ?? []
  const wanted = selectors.replace(/route!~"[^"]*"/, 'route="a"').replace(/result=~"[^"]*"/, 'result="5xx"')
  // What counts errors counts requests too.
  const result = name.endsWith('requests_total') && !wanted.includes('result=') ? ['result="2xx"'] : []
  return `${name}{${[wanted, ...result, `instance=${quoted(INSTANCE)}`].join(',')}}`
}

/** What a term reads, as it has to be for all of the rules to hold, or for none to. */
class Scene {
  readonly courses = new Map<string, Course>()
  readonly #job: string
  readonly #bad: boolean
  readonly #stepSeconds: number

  constructor(job: string, bad: boolean, stepSeconds: number) {
    this.#job = job
    this.#bad = bad
    this.#stepSeconds = stepSeconds
    this.#grow(watchedSeries(job), stepSeconds)
  }

  add({ scope, condition }: Rule): void {
    for (const { term, is, limit } of condition.flat()) {
      if (term.kind === 'share') this.#requests(scope, term.part, 10 * term.atLeast)
      else if (term.kind === 'rate') this.#rate(scope, is, limit)
      else if (term.kind === 'gauge') this.#gauge(scope, term.of, is, limit)
      else {
        this.#set(gaugeSeries(this.#job, scope, term.whole)[0], 100)
        this.#gauge(scope, term.of, is, limit * 100)
      }
    }
  }

  /** Either every request counts, or none does. */
  #requests(scope: Scope, part: Counter, each: number): void {
    const { all, but } = seriesOf(this.#job, scope, part)
    this.#grow(
      seriesOf(this.#job, scope, 'requests').all,
      but === undefined && part === 'errors' && this.#bad ? 0 : each,
    )
    if (all !== seriesOf(this.#job, scope, 'requests').all)
      this.#grow(all, but !== undefined || this.#bad ? each : 0)
    if (but !== undefined) this.#grow(but, this.#bad ? 0 : each)
  }

  #rate(scope: Scope, is: 'above' | 'below', limit: number): void {
    // What is just not below is not above either, where a rule has both.
    const right = is === 'above' ? limit / 2 : limit * 1.001
    const wrong = is === 'above' ? limit * 2 + 1 : 0
    const perSecond = this.#bad ? wrong : right
    this.#grow(seriesOf(this.#job, scope, 'requests').all, perSecond * this.#stepSeconds)
  }

  #gauge(scope: Scope, gauge: Gauge, is: 'above' | 'below', limit: number): void {
    const [first, ...others] = gaugeSeries(this.#job, scope, gauge)
    // Time begins at 0 in a test, and goes on for an hour at most.
    const late = gauge === 'certificate' && !this.#bad ? 1e6 : 0
    this.#set(first, ((is === 'above') === this.#bad ? limit * 1.5 + 1 : limit / 2) + late)
    for (const other of others) this.#set(other, 0)
  }

  #grow(series: string, step: number): void {
    this.courses.set(metric(series), { from: 0, step })
  }

  #set(series: string, value: number): void {
    this.courses.set(metric(series), { from: value, step: 0 })
  }
}

/** Rules of one name, which differ in their severity, fire together or not at all. */
function testOf(
  name: string,
  rules: readonly Rule[],
  bad: boolean,
  { evaluateEvery, job, fleet }: ExportOptions,
): Yaml {
  const terms = rules.flatMap((rule) => [...termsOf(rule)])
  const windows = terms.flatMap((term) => countersOf(term).map(([, over]) => over))
  // A rate is not known until its window has been watched whole.
  const watched = Math.max(0, ...terms.map((term) => (term.kind === 'rate' ? term.over : 0)))
  // Four samples in the shortest window: there have to be two for a rate.
  const interval = Math.max(1, Math.floor(Math.min(60_000, ...windows) / 4))
  const hold = Math.max(...rules.map(({ holdFor }) => holdFor))
  const at = Math.ceil((4 * interval + hold + watched + 60_000) / evaluateEvery + 4) * evaluateEvery
  const scene = new Scene(job, bad, interval / 1000)
  for (const rule of rules) scene.add(rule)
  const steps = Math.ceil(at / interval) + 1
  const firing = `ALERTS{alertname=${quoted(name)},alertstate="firing"}`
  const labels = (rule: Rule): string => {
    const all = { job, ...(fleet ? {} : { instance: INSTANCE }), ...rule.labels, alertstate: 'firing' }
    return Object.entries(all)
      .map(([label, value]) => `${label}=${quoted(value)}`)
      .join(',')
  }
  return {
    name: `${name} ${bad ? 'fires' : 'does not fire'}`,
    interval: duration(interval),
    input_series: [...scene.courses].map(([series, { from, step }]) => ({
      series,
      values: `${from}+${step}x${steps}`,
    })),
    promql_expr_test: [
      {
        expr: firing,
        eval_time: duration(at),
        exp_samples: bad ? rules.map((rule) => ({ labels: `ALERTS{${labels(rule)}}`, value: 1 })) : [],
      },
    ],
  }
}

/**
 * A file for `promtool test rules`: each alert fires on what it is there for, and not on its contrary.
 * @param file name of the rule file
 */
export function ruleTests(rules: readonly Rule[], options: ExportOptions, file: string): Yaml {
  const byName = new Map<string, Rule[]>()
  for (const rule of rules) byName.set(rule.name, [...(byName.get(rule.name) ?? []), rule])
  return {
    rule_files: [file],
    evaluation_interval: duration(options.evaluateEvery),
    tests: [...byName].flatMap(([name, same]) => [
      testOf(name, same, true, options),
      testOf(name, same, false, options),
    ]),
  }
}
