/** Columns, and rows as lines of spans. */
import { type Pane, type Row, type Standing, standingOfTarget, standingOfUpstream } from './look.ts'
import { amount, fit, latency, percent, safe } from './text.ts'

export type Style = 'bold' | 'dim' | 'red' | 'yellow' | 'reverse'

export interface Span {
  readonly text: string
  readonly style?: Style | undefined
}

export type Line = readonly Span[]

interface Column {
  readonly head: string
  /** In columns of the terminal; of the first one the least that it has. */
  readonly width: number
  readonly align: 'left' | 'right'
  /** Left out first when it gets narrow; 0 never is. */
  readonly drop: number
  readonly cell: (row: Row) => Span
}

const plain = (head: string, width: number, drop: number, text: (row: Row) => string): Column => ({
  head,
  width,
  align: 'right',
  drop,
  cell: (row) => ({ text: text(row) }),
})

const named = (head: string, width: number, text: (row: Row) => string): Column => ({
  head,
  width,
  align: 'left',
  drop: 0,
  cell: (row) => ({ text: safe(text(row)) }),
})

/** From here on a share of errors is red. */
const MANY_ERRORS = 0.05

const ERRORS: Column = {
  head: 'ERRORS',
  width: 6,
  align: 'right',
  drop: 0,
  cell({ window }) {
    const share = window?.errorRatio ?? 0
    const style = share >= MANY_ERRORS ? 'red' : share > 0 ? 'yellow' : undefined
    return { text: percent(window?.errorRatio), style }
  },
}

const NUMBERS: readonly Column[] = [
  plain('NOW/S', 6, 3, ({ perSecond }) => amount(perSecond)),
  plain('RATE/S', 6, 0, ({ window }) => amount(window?.rate)),
  ERRORS,
  plain('P50', 6, 4, ({ window }) => latency(window?.p50Ms)),
  plain('P95', 6, 2, ({ window }) => latency(window?.p95Ms)),
  plain('P99', 6, 0, ({ window }) => latency(window?.p99Ms)),
]

const standing = (of: (row: Row) => Standing | undefined): Column => ({
  head: 'STATE',
  width: 14,
  align: 'left',
  drop: 0,
  cell: (row) => {
    const { text = '-', style } = of(row) ?? {}
    return { text: safe(text), style }
  },
})

const COLUMNS: Readonly<Record<Pane, readonly Column[]>> = {
  routes: [named('ROUTE', 16, ({ name }) => name), ...NUMBERS],
  upstreams: [
    named('UPSTREAM', 14, ({ name }) => name),
    ...NUMBERS,
    plain('BUSY', 5, 1, ({ upstreamStats }) => amount(upstreamStats?.inflight)),
    plain('USABLE', 7, 0, ({ upstreamStats: of }) => `${of?.eligible ?? '-'}/${of?.size ?? '-'}`),
    standing(({ upstreamStats }) => upstreamStats && standingOfUpstream(upstreamStats)),
  ],
  targets: [
    named('TARGET', 22, ({ name }) => name),
    named('UPSTREAM', 8, ({ upstream }) => upstream),
    ...NUMBERS,
    plain('BUSY', 5, 1, ({ targetStats }) => amount(targetStats?.inflight)),
    plain('TIER', 4, 5, ({ targetStats }) => amount(targetStats?.tier)),
    standing(({ targetStats }) => targetStats && standingOfTarget(targetStats)),
  ],
}

/** What a name in the second column is given at most of the width that is left. */
const MOST_FOR_SECOND = 12

/** A table that is as wide as the terminal. Rows are formatted when they are asked for. */
export class Table {
  readonly #columns: readonly (Column & { readonly columns: number })[]

  /** @param differences whether there is something to compare with: else NOW/S says nothing */
  constructor(pane: Pane, columns: number, differences: boolean) {
    let kept = COLUMNS[pane].filter(({ head }) => differences || head !== 'NOW/S')
    const needed = () => kept.reduce((sum, { width }) => sum + width + 1, -1)
    while (needed() > columns) {
      const least = kept.reduce((a, b) => (b.drop > a.drop ? b : a))
      if (least.drop === 0) break
      kept = kept.filter((column) => column !== least)
    }
    // What is left is for names.
    const spare = Math.max(0, columns - needed())
    const second = kept[1]?.align === 'left' ? Math.min(MOST_FOR_SECOND, Math.floor(spare / 2)) : 0
    const extra = [spare - second, second]
    this.#columns = kept.map((column, i) => ({ ...column, columns: column.width + (extra[i] ?? 0) }))
  }

  get head(): Line {
    return [
      {
        text: this.#columns.map(({ head, columns, align }) => fit(head, columns, align)).join(' '),
        style: 'reverse',
      },
    ]
  }

  line(row: Row): Line {
    return this.#columns.map(({ cell, columns, align }, i) => {
      const { text, style } = cell(row)
      return { text: (i === 0 ? '' : ' ') + fit(text, columns, align), style }
    })
  }
}
