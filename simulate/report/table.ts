import type { Figures } from '../figures.ts'

/** One policy's run. */
export interface Row {
  readonly label: string
  readonly figures: Figures
}

/** Three digits that count, as text. */
export function digits(value: number): string {
  if (!Number.isFinite(value)) return '-'
  if (value === 0) return '0'
  const places = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))))
  return value.toFixed(Math.min(places, 3))
}

function percent(share: number): string {
  return share === 0 ? '0' : `${digits(share * 100)} %`
}

/** A Markdown table, padded so that it reads as well in a terminal. */
export function table(rows: readonly Row[]): string {
  const withHits = rows.some(({ figures }) => figures.hits !== undefined)
  const head = ['policy', 'mean', 'p50', 'p99', 'p99.9', 'errors', 'busy', 'busiest', 'spread']
  if (withHits) head.push('hits')
  const body = rows.map(({ label, figures }) => [
    label,
    digits(figures.mean),
    digits(figures.p50),
    digits(figures.p99),
    digits(figures.p999),
    percent(figures.errorShare),
    percent(figures.utilisation),
    `${figures.imbalance.toFixed(2)} x`,
    figures.variation.toFixed(3),
    ...(withHits ? [percent(figures.hits ?? 0)] : []),
  ])
  return pad([head, ...body])
}

/** @param lines cells; the first line is the head, and the first column is text */
export function pad(lines: readonly (readonly string[])[]): string {
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => line[column]!.length), 3))
  const written = lines.map(
    (line) =>
      `| ${line.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join(' | ')} |`,
  )
  const rule = `| ${widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`
  return [written[0], rule, ...written.slice(1)].join('\n')
}
