/** From what is known to the lines of the screen: pure, so that tests compare them as they are. */
import { type Look, PANES, type Pane, type Row } from './look.ts'
import type { State } from './state.ts'
import { type Line, type Span, Table } from './table.ts'
import { amount, cut, duration, latency, mebibytes, percent, safe, width } from './text.ts'

export interface Size {
  readonly columns: number
  readonly rows: number
}

const HELP = 'q quit  tab pane  r/e/p/n sort by rate, errors, p99, name  / filter  space pause'

function clock(at: Date): string {
  return at.toTimeString().slice(0, 8)
}

function gatewayLines({ stats }: Look, address: string): Line[] {
  const { gateway, total, uptimeSeconds } = stats
  const window = total.windows['1m']
  const { eventLoop, residentBytes, connections, version } = gateway
  return [
    [
      { text: `holdfast ${safe(version)}`, style: 'bold' },
      { text: `  ${safe(address)}  up ${duration(uptimeSeconds)}` },
    ],
    [
      { text: `all      ${amount(window.rate)}/s  errors ${percent(window.errorRatio)}  ` },
      { text: `p50 ${latency(window.p50Ms)}  p95 ${latency(window.p95Ms)}  p99 ${latency(window.p99Ms)}` },
      { text: `  connections ${amount(connections)}` },
    ],
    [
      { text: `process  memory ${mebibytes(residentBytes)}  event loop ` },
      { text: `p99 ${latency(eventLoop.p99 * 1000)}, max ${latency(eventLoop.max * 1000)}, ` },
      { text: `${percent(eventLoop.utilization)} busy` },
    ],
  ]
}

function alertLine({ alerts }: Look): Line {
  const head: Span = { text: 'alerts   ' }
  if (alerts === undefined) return [head, { text: 'not configured', style: 'dim' }]
  const firing = alerts.filter(({ state }) => state === 'firing')
  if (firing.length === 0) return [head, { text: `none firing of ${alerts.length}` }]
  const names = firing.map(({ name, labels, silenced }) => {
    const about = labels['route'] ?? labels['upstream']
    const silent = silenced ? ', silenced' : ''
    return `${name}${about === undefined ? '' : ` ${about}`} (${labels['severity'] ?? 'firing'}${silent})`
  })
  const loud = firing.some(({ silenced }) => !silenced)
  return [
    head,
    { text: safe(`${firing.length} firing: ${names.join(', ')}`), style: loud ? 'red' : 'yellow' },
  ]
}

function statusLine({ unreachable, view }: State): Line {
  if (unreachable !== undefined) {
    const text = `not reachable since ${clock(unreachable.since)}, trying again: ${unreachable.why}`
    return [{ text: safe(text), style: 'red' }]
  }
  return view.paused ? [{ text: 'paused', style: 'yellow' }] : [{ text: '' }]
}

function paneLine({ view, look }: State, found: number, first: number, shown: number): Line {
  const panes = PANES.flatMap((pane): Span[] => [
    { text: pane, style: pane === view.pane ? 'bold' : 'dim' },
    { text: '  ' },
  ])
  const range = found > shown ? `${first + 1}-${first + shown} of ${found}` : `${found}`
  const filter = view.typing || view.filter !== '' ? `  /${safe(view.filter)}${view.typing ? '_' : ''}` : ''
  const waits = view.pane === 'targets' && look?.withTargets === false
  return [...panes, { text: waits ? 'asking for targets' : `${range} by ${view.sort}${filter}` }]
}

function clipped(line: Line, columns: number): Line {
  let left = columns
  const kept: Span[] = []
  for (const span of line) {
    const text = cut(span.text, left)
    left -= width(text)
    if (text !== '') kept.push({ ...span, text })
    if (text !== span.text) break
  }
  return kept
}

/** How many rows of the table a terminal has room for. */
export function room({ rows }: Size): number {
  return Math.max(1, rows - 8)
}

/**
 * The lines of the screen, at most as many as it has. Formats only the rows that are seen.
 * @param rows those that were chosen, in their order
 */
export function frame(state: State, rows: readonly Row[], size: Size): Line[] {
  const { look, view } = state
  const visible = room(size)
  const first = Math.max(0, Math.min(view.first, rows.length - visible))
  const seen = rows.slice(first, first + visible)
  const head: Line[] =
    look === undefined
      ? [
          [{ text: 'holdfast', style: 'bold' }, { text: `  asking ${safe(state.address)}` }],
          statusLine(state),
        ]
      : [...gatewayLines(look, state.address), alertLine(look), statusLine(state)]
  const lines = [...head]
  if (look !== undefined) {
    const table = new Table(view.pane, size.columns, true)
    lines.push(paneLine(state, rows.length, first, seen.length), table.head)
    for (const row of seen) lines.push(table.line(row))
  }
  lines.length = Math.min(lines.length, Math.max(0, size.rows - 1))
  while (lines.length < size.rows - 1) lines.push([])
  lines.push([{ text: HELP, style: 'dim' }])
  return lines.map((line) => clipped(line, size.columns))
}

/** The same for scripts: everything, once. */
export function report(
  look: Look,
  address: string,
  tables: readonly (readonly [Pane, readonly Row[]])[],
): Line[] {
  const lines: Line[] = [...gatewayLines(look, address), alertLine(look)]
  for (const [pane, rows] of tables) {
    const table = new Table(pane, 100, false)
    lines.push([], table.head, ...rows.map((row) => table.line(row)))
  }
  return lines
}
