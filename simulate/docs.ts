import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Balancers } from './gateway.ts'
import { labels, lineUp } from './line-up.ts'
import { labelOf } from './policies.ts'
import { fillPage, partsOf } from './report/page.ts'
import { plot } from './report/plot.ts'
import { type Row, table } from './report/table.ts'
import { simulate } from './run.ts'
import { loadScenario } from './scenarios.ts'

const DOCS = join(import.meta.dirname, '../docs')
const SEED = 1

/** A scenario's part of the page, and its plot. The same bytes each time. */
export async function renderScenario(
  name: string,
  balancers: Balancers,
  { requests, told = () => {} }: { requests?: number; told?: (label: string) => void } = {},
): Promise<{ part: string; svg: string }> {
  const fleet = await loadScenario(name)
  const rows: Row[] = lineUp(fleet, balancers).map((choice) => {
    const label = labelOf(choice)
    told(label)
    const options = requests === undefined ? { seed: SEED } : { seed: SEED, requests }
    return { label, figures: simulate(fleet, choice, balancers, options) }
  })
  const about = `${fleet.about.charAt(0).toUpperCase()}${fleet.about.slice(1)}.`
  const count = (requests ?? fleet.requests).toLocaleString('en-US')
  const part = [
    `${about} ${count} requests, seed ${SEED}; times in milliseconds.`,
    table(rows),
    `![Tail of the latencies, by policy](plots/${name}.svg)`,
  ].join('\n\n')
  return { part, svg: plot(`${name}: who waited how long`, rows, labels(balancers, fleet.policies)) }
}

/** Makes the plots and tables of docs/load-balancing.md again. */
export async function writeDocs(balancers: Balancers, told: (line: string) => void): Promise<void> {
  const file = join(DOCS, 'load-balancing.md')
  const page = readFileSync(file, 'utf8')
  const parts = new Map<string, string>()
  mkdirSync(join(DOCS, 'plots'), { recursive: true })
  for (const name of partsOf(page)) {
    const started = performance.now()
    const { part, svg } = await renderScenario(name, balancers)
    parts.set(name, part)
    writeFileSync(join(DOCS, 'plots', `${name}.svg`), svg)
    told(`${name}: ${((performance.now() - started) / 1000).toFixed(1)} s`)
  }
  // Read again: whoever edits the page meanwhile loses nothing.
  writeFileSync(file, fillPage(readFileSync(file, 'utf8'), parts))
}
