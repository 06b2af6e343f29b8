/** What the gateway said when it was asked, and what that makes of rows. */
import type { Stats, TargetStats, UpstreamStats, WindowStats } from '../../plugins/metrics/stats.ts'

export interface Alert {
  readonly name: string
  readonly state: string
  readonly labels: Readonly<Record<string, string>>
  readonly silenced: boolean
}

/** One answer of the gateway. */
export interface Look {
  readonly stats: Stats
  /** Undefined where the gateway has no alerts. */
  readonly alerts: readonly Alert[] | undefined
  /** Monotonic milliseconds. */
  readonly at: number
  /** Whether targets were asked for. */
  readonly withTargets: boolean
}

export const PANES = ['routes', 'upstreams', 'targets'] as const
export type Pane = (typeof PANES)[number]
export const SORTS = ['rate', 'errors', 'p99', 'name'] as const
export type Sort = (typeof SORTS)[number]

/** How something stands, and how much that should be noticed. */
export interface Standing {
  readonly text: string
  readonly style: 'red' | 'yellow' | 'dim' | undefined
}

/** A line of the table, not formatted yet: there may be ten thousand. */
export interface Row {
  /** Of a target, its origin. */
  readonly name: string
  /** Of a target, its upstream; '' else. */
  readonly upstream: string
  /** Per second since the look before; undefined if there is nothing to compare with. */
  readonly perSecond: number | undefined
  /** The last minute; null where the gateway does not tell targets apart. */
  readonly window: WindowStats | null
  readonly upstreamStats: UpstreamStats | undefined
  readonly targetStats: TargetStats | undefined
}

const VETOES: Readonly<Record<string, string>> = {
  'circuit-breaker': 'breaker open',
  'outlier-detection': 'ejected',
  'health-check': 'unhealthy',
  'retry-after': 'spared',
}
const SLOWED: Readonly<Record<string, string>> = {
  'slow-start': 'slow start',
  'outlier-detection': 'doubted',
}

/** How a target stands, in a word or two. */
export function standingOfTarget({ state, vetoes, slowedBy, share, lastEvent }: TargetStats): Standing {
  if (state === 'draining') return { text: 'draining', style: 'yellow' }
  const by = Object.keys(VETOES).find((source) => source in vetoes) ?? Object.keys(vetoes)[0]
  if (state === 'eligible') {
    if (by !== undefined) return { text: 'used in panic', style: 'red' }
    const slowed = slowedBy[0]
    if (slowed !== undefined)
      return { text: `${SLOWED[slowed] ?? 'slowed'} ${Math.round(share * 100)}%`, style: 'yellow' }
    return lastEvent?.name === 'breaker-half-open'
      ? { text: 'half-open', style: 'yellow' }
      : { text: 'healthy', style: undefined }
  }
  if (by === undefined) return { text: 'standby', style: 'dim' }
  if (vetoes[by] === 'unchecked') return { text: 'unchecked', style: 'yellow' }
  return { text: VETOES[by] ?? `out: ${by}`, style: 'red' }
}

export function standingOfUpstream({ eligible, size, panic, tiersInUse }: UpstreamStats): Standing {
  if (eligible === 0) return { text: 'no target', style: 'red' }
  if (panic) return { text: 'panic', style: 'red' }
  if (tiersInUse.some((tier) => tier > 0)) return { text: `tiers ${tiersInUse.join(', ')}`, style: 'yellow' }
  // Those that are not usable may be in reserve, or out: the targets say which.
  return { text: eligible < size ? '' : 'healthy', style: undefined }
}

interface Counted {
  readonly name: string
  readonly upstream: string
  readonly count: number | null
}

function* counted({ stats }: Look, pane: Pane): Generator<Counted> {
  if (pane === 'routes')
    for (const { name, requests } of stats.routes) yield { name, upstream: '', count: requests }
  else if (pane === 'upstreams')
    for (const { name, requests } of stats.upstreams) yield { name, upstream: '', count: requests }
  else
    for (const { name, targets } of stats.upstreams)
      for (const { target, attempts } of targets) yield { name: target, upstream: name, count: attempts }
}

const keyOf = ({ name, upstream }: Pick<Counted, 'name' | 'upstream'>): string => `${upstream} ${name}`

/** How many there were of each per second between two looks. */
function differences(look: Look, before: Look | undefined, pane: Pane): (of: Counted) => number | undefined {
  const seconds = before === undefined ? 0 : (look.at - before.at) / 1000
  // Nothing can be told of a gateway that was started anew.
  if (before === undefined || seconds <= 0 || before.stats.uptimeSeconds > look.stats.uptimeSeconds)
    return () => undefined
  const counts = new Map<string, number | null>()
  for (const one of counted(before, pane)) counts.set(keyOf(one), one.count)
  return (one) => {
    const earlier = counts.get(keyOf(one))
    if (typeof earlier !== 'number' || one.count === null || one.count < earlier) return undefined
    return (one.count - earlier) / seconds
  }
}

/** All rows of a pane, in the order of the gateway. */
export function rowsOf(look: Look, before: Look | undefined, pane: Pane): Row[] {
  const difference = differences(look, before, pane)
  const { routes, upstreams } = look.stats
  const row = (
    of: Counted,
    window: WindowStats | null,
    upstream?: UpstreamStats,
    target?: TargetStats,
  ): Row => ({
    name: of.name,
    upstream: of.upstream,
    perSecond: difference(of),
    window,
    upstreamStats: upstream,
    targetStats: target,
  })
  if (pane === 'routes')
    return routes.map(({ name, requests, windows }) =>
      row({ name, upstream: '', count: requests }, windows['1m']),
    )
  if (pane === 'upstreams')
    return upstreams.map((one) =>
      row({ name: one.name, upstream: '', count: one.requests }, one.windows['1m'], one),
    )
  return upstreams.flatMap(({ name, targets }) =>
    targets.map((one) =>
      row(
        { name: one.target, upstream: name, count: one.attempts },
        one.windows?.['1m'] ?? null,
        undefined,
        one,
      ),
    ),
  )
}

const BY: Readonly<Record<Exclude<Sort, 'name'>, (row: Row) => number>> = {
  rate: ({ window }) => window?.rate ?? 0,
  errors: ({ window }) => window?.errorRatio ?? 0,
  p99: ({ window }) => window?.p99Ms ?? 0,
}

/** Those whose name or upstream contains the filter, the highest first; by name from a to z. */
export function chosen(rows: readonly Row[], sort: Sort, filter: string): Row[] {
  const wanted = filter.toLowerCase()
  const found =
    wanted === ''
      ? [...rows]
      : rows.filter(
          ({ name, upstream }) =>
            name.toLowerCase().includes(wanted) || upstream.toLowerCase().includes(wanted),
        )
  if (sort === 'name') return found.sort((a, b) => compare(a.upstream, b.upstream) || compare(a.name, b.name))
  const by = BY[sort]
  return found.sort((a, b) => by(b) - by(a))
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
