import { type Figures, quantile } from '../figures.ts'
import { digits, type Row } from './table.ts'

const WIDTH = 940
const HEIGHT = 460
const PLOT = { left: 64, right: 640, top: 56, bottom: 400 }
const LEGEND = PLOT.right + 24
/** The smallest share of requests that the plot shows. */
const LEAST = 1e-4
const POINTS = 97

/** Told apart by people who see red and green alike too; the second set is for dark pages. */
const COLOURS: readonly (readonly [light: string, dark: string])[] = [
  ['#0072b2', '#58b4f0'],
  ['#d55e00', '#ff8c42'],
  ['#00805d', '#3ecf9f'],
  ['#b5478c', '#ee8fc8'],
  ['#6a4fc0', '#ab96ff'],
  ['#8a6d00', '#e3c23d'],
  ['#00808a', '#45d0dc'],
  ['#555555', '#b8b8b8'],
]
const DASHES = ['', '7 4', '2 3']

/** A line for each policy: colour and dashes go by its place in `order`, so that it looks the same in all plots. */
function style(index: number): { colour: number; dash: string } {
  return {
    colour: index % COLOURS.length,
    dash: DASHES[Math.floor(index / COLOURS.length) % DASHES.length]!,
  }
}

function written(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

function css(): string {
  const strokes = (which: 0 | 1) => COLOURS.map((pair, i) => `.c${i}{stroke:${pair[which]}}`).join('')
  return (
    `text{font:13px system-ui,sans-serif;fill:#24292f}.title{font-weight:600;font-size:15px}.small{fill:#57606a;font-size:12px}` +
    `.page{fill:#fff}.grid{stroke:#d8dee4}.axis{stroke:#57606a}path{fill:none;stroke-width:2}${strokes(0)}` +
    `@media(prefers-color-scheme:dark){text{fill:#e6edf3}.small{fill:#9198a1}.page{fill:#0d1117}.grid{stroke:#2b323b}` +
    `.axis{stroke:#9198a1}${strokes(1)}}`
  )
}

/** 1, 2 and 5 times the powers of ten within the range. */
function ticks(from: number, to: number): number[] {
  const all: number[] = []
  for (let power = Math.floor(Math.log10(from)); power <= Math.ceil(Math.log10(to)); power++) {
    for (const digit of [1, 2, 5]) all.push(Number((digit * 10 ** power).toPrecision(1)))
  }
  return all.filter((tick) => tick >= from && tick <= to)
}

/** What its tail comes to: above one error in a thousand requests p99.9 is the deadline, or a lie. */
function tailOf({ errorShare, p999 }: Figures): string {
  return errorShare > 1e-3 ? `${digits(errorShare * 100)} %` : `${digits(p999)} ms`
}

function time(ms: number): string {
  return ms < 1000 ? `${ms} ms` : `${ms / 1000} s`
}

/**
 * The part of the requests that waited longer than so long, for each policy, both axes logarithmic: the further left
 * and down the better.
 *
 * @param order all labels there are, which colours go by
 */
export function plot(title: string, rows: readonly Row[], order: readonly string[]): string {
  const waited = rows.filter(({ figures }) => figures.latencies.length > 0)
  const least = Math.min(...waited.map(({ figures }) => quantile(figures.latencies, 0.05)))
  const most = Math.max(...waited.map(({ figures }) => quantile(figures.latencies, 1 - LEAST)))
  const from = Math.max(least, most / 1e4)
  const span = Math.log(most / from) || 1
  const x = (ms: number) =>
    PLOT.left + ((PLOT.right - PLOT.left) * Math.log(Math.max(ms, from) / from)) / span
  const y = (share: number) => PLOT.top + ((PLOT.bottom - PLOT.top) * Math.log(share)) / Math.log(LEAST)

  const parts: string[] = []
  for (const share of [1, 0.1, 0.01, 0.001, 0.0001]) {
    const at = y(share).toFixed(1)
    parts.push(
      `<line class="grid" x1="${PLOT.left}" x2="${PLOT.right}" y1="${at}" y2="${at}"/>`,
      `<text class="small" x="${PLOT.left - 8}" y="${(y(share) + 4).toFixed(1)}" text-anchor="end">${share * 100} %</text>`,
    )
  }
  let lastLabel = Number.NEGATIVE_INFINITY
  for (const tick of ticks(from, most)) {
    const at = x(tick)
    parts.push(
      `<line class="grid" x1="${at.toFixed(1)}" x2="${at.toFixed(1)}" y1="${PLOT.top}" y2="${PLOT.bottom}"/>`,
    )
    if (at - lastLabel < 48) continue
    lastLabel = at
    parts.push(
      `<text class="small" x="${at.toFixed(1)}" y="${PLOT.bottom + 18}" text-anchor="middle">${time(tick)}</text>`,
    )
  }
  parts.push(
    `<line class="axis" x1="${PLOT.left}" x2="${PLOT.right}" y1="${PLOT.bottom}" y2="${PLOT.bottom}"/>`,
    `<text class="small" x="${(PLOT.left + PLOT.right) / 2}" y="${PLOT.bottom + 42}" text-anchor="middle">time until the client had its answer, or gave up</text>`,
    `<text class="small" x="${PLOT.left}" y="${PLOT.top - 12}">requests that took longer</text>`,
  )

  // In the legend as they lie in the plot: the worst tail first.
  const lines = waited.toSorted(
    ({ figures: a }, { figures: b }) => b.errorShare - a.errorShare || b.p999 - a.p999 || b.mean - a.mean,
  )
  parts.push(
    `<text class="small" x="${LEGEND}" y="${PLOT.top - 12}">policy, with its errors or its p99.9</text>`,
  )
  for (const [place, { label, figures }] of lines.entries()) {
    const { colour, dash } = style(Math.max(0, order.indexOf(label)))
    const dashes = dash === '' ? '' : ` stroke-dasharray="${dash}"`
    const points = Array.from({ length: POINTS }, (_, i) => {
      const share = LEAST ** (i / (POINTS - 1))
      return `${x(quantile(figures.latencies, 1 - share)).toFixed(1)} ${y(share).toFixed(1)}`
    })
    const row = PLOT.top + 8 + place * 19
    parts.push(
      `<path class="c${colour}"${dashes} d="M${points.join('L')}"/>`,
      `<path class="c${colour}"${dashes} d="M${LEGEND} ${row}h26"/>`,
      `<text x="${LEGEND + 34}" y="${row + 4}">${written(label)} <tspan class="small">${tailOf(figures)}</tspan></text>`,
    )
  }
  const height = Math.max(HEIGHT, PLOT.top + 30 + lines.length * 19)
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${written(title)}">`,
    `<style>${css()}</style>`,
    `<rect class="page" width="${WIDTH}" height="${height}" rx="6"/>`,
    `<text class="title" x="${PLOT.left}" y="26">${written(title)}</text>`,
    ...parts,
    '</svg>\n',
  ].join('\n')
}
