import { allGone } from './faults.ts'
import { type Figures, type Quantiles, slowFactor } from './judge.ts'

/** Of one fault, per gateway in the order of the run. */
export type FaultFigures = ReadonlyMap<string, Figures>

/** Above this (ms) the load generator's own delay says that the machine was busy. */
const lateAbove = 20
const postsMayFail = 2
const calmWithinMs = 2000

export function calmTable(calm: ReadonlyMap<string, Quantiles>): string {
  const rows = [...calm].map(([name, { p50, p99, p999 }]) => [name, ms(p50), ms(p99), ms(p999)])
  return table([['gateway', 'p50 ms', 'p99 ms', 'p99.9 ms'], ...rows])
}

export function faultTable(figures: FaultFigures): string {
  const header = ['gateway', 'failed GETs', 'failed POSTs', 'POSTs twice']
  header.push('p50 ms', 'p99 ms', 'p99.9 ms', 'longest ms', 'calm after ms')
  const rows = [...figures].map(([name, of]) => [
    name,
    ...[of.failedGets, of.failedPosts, of.twice].map(String),
    ...[of.p50, of.p99, of.p999, of.longest].map(ms),
    of.calmAfter.toFixed(0),
  ])
  return [table([header, ...rows]), ...remarks(figures)].join('\n')
}

function remarks(figures: FaultFigures): string[] {
  const lines: string[] = []
  for (const [name, { reasons, lost }] of figures) {
    const why = Object.entries(reasons)
      .sort(([, a], [, b]) => b - a)
      .map(([reason, count]) => `${count} x ${reason}`)
    if (why.length > 0) lines.push(`  ${name} failed with ${why.join(', ')}`)
    if (lost > 0) lines.push(`  Doubtful: ${name} answered ${lost} POSTs that no target has executed`)
  }
  const late = [...figures].filter(([, of]) => of.late > lateAbove)
  if (late.length > 0) {
    const worst = late.map(([name, of]) => `${ms(of.late)} ms with ${name}`).join(', ')
    lines.push(`  Doubtful times: the load itself was late by up to ${worst}; is the machine busy?`)
  }
  return lines
}

/** Whether Holdfast keeps what it promises, with the figures that miss it, or else the one that comes closest. */
export function goals(
  results: ReadonlyMap<string, FaultFigures>,
  calm: ReadonlyMap<string, Quantiles>,
): string[] {
  const own = [...results].flatMap(([fault, figures]) => {
    const of = figures.get('holdfast')
    return of === undefined ? [] : [{ fault, of }]
  })
  const calmP999 = calm.get('holdfast')?.p999
  if (own.length === 0 || calmP999 === undefined) return ['Goals: holdfast was not measured.']
  const served = own.filter(({ fault }) => fault !== allGone)
  const figure = (read: (of: Figures) => number, of = own) =>
    of.map(({ fault, of: figures }) => ({ fault, value: read(figures) }))
  return [
    `Goals for holdfast (${allGone} cannot but fail requests, so it does not count for the first and the third):`,
    verdict(
      'no failed GET',
      0,
      figure(({ failedGets }) => failedGets, served),
    ),
    verdict(
      'no POST executed twice',
      0,
      figure(({ twice }) => twice),
    ),
    verdict(
      `at most ${postsMayFail} failed POSTs per fault`,
      postsMayFail,
      figure(({ failedPosts }) => failedPosts, served),
    ),
    verdict(
      `p99.9 at most ${slowFactor} x calm p99.9 = ${ms(slowFactor * calmP999)} ms`,
      slowFactor * calmP999,
      figure(({ p999 }) => p999),
      ms,
    ),
    verdict(
      `calm within ${calmWithinMs} ms after each fault`,
      calmWithinMs,
      figure(({ calmAfter }) => calmAfter),
      (value) => value.toFixed(0),
    ),
  ]
}

function verdict(
  goal: string,
  atMost: number,
  values: readonly { fault: string; value: number }[],
  written: (value: number) => string = String,
): string {
  if (values.length === 0) return `  ${goal}: not measured`
  const list = (of: typeof values) => of.map(({ fault, value }) => `${fault} ${written(value)}`).join(', ')
  // NaN, where nothing was answered, misses every goal and is the worst
  const rank = ({ value }: { value: number }) => (Number.isNaN(value) ? Number.MAX_VALUE : value)
  const missed = values.filter(({ value }) => !(value <= atMost)).sort((a, b) => rank(b) - rank(a))
  if (missed.length > 0) return `  ${goal}: not met; ${list(missed)}`
  const worst = values.reduce((a, b) => (b.value > a.value ? b : a))
  return `  ${goal}: met${worst.value > 0 ? `; the most is ${list([worst])}` : ''}`
}

/** Rows of equal length, the first of them the header; all but the first column flush right. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  const line = (row: readonly string[]) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  ')
  const rule = widths.map((width) => '-'.repeat(width)).join('  ')
  return [line(rows[0]!), rule, ...rows.slice(1).map(line)].join('\n')
}

function ms(value: number): string {
  if (Number.isNaN(value)) return '-'
  return value < 100 ? value.toFixed(1) : value.toFixed(0)
}
