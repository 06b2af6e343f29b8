import { table } from '../availability/report.ts'
import { type Ending, fates, type Ledger } from './ledger.ts'
import type { Output } from './output.ts'
import type { Course } from './soak-course.ts'
import { mib, type Sample, type Verdict } from './verdicts.ts'

const linesShown = 10
const stepsShown = 30

export function requestTable({ counts, details }: Ledger): string {
  const used = fates.filter((fate) => [...counts.values()].some((ofKind) => ofKind.has(fate)))
  const rows = [...counts].map(([kind, ofKind]) => [
    kind,
    ...used.map((fate) => String(ofKind.get(fate) ?? 0)),
  ])
  return `${table([['requests', ...used], ...rows])}\n  ${listed(details) || 'nothing failed'}`
}

/** The run in some thirty steps: the least of the heap, the most of all else. */
export function courseTable(samples: readonly Sample[]): string {
  const step = Math.max(1, Math.ceil(samples.length / stepsShown))
  const rows = samples.flatMap((first, i) => {
    if (i % step !== 0) return []
    const some = samples.slice(i, i + step)
    const heaps = some.flatMap(({ heap }) => heap ?? [])
    const most = (read: (sample: Sample) => number) => Math.max(...some.map(read))
    const counts = [
      most(({ sockets }) => sockets),
      most(({ inflight }) => inflight),
      most(({ open }) => open),
    ]
    return [
      [
        `${first.at.toFixed(0)} s ${first.phase}`,
        heaps.length === 0 ? '-' : (Math.min(...heaps) / mib).toFixed(1),
        (most(({ resident }) => resident) / mib).toFixed(0),
        ...counts.map(String),
      ],
    ]
  })
  return table([['from', 'heap MiB', 'resident MiB', 'sockets', 'in flight', 'open requests'], ...rows])
}

export function happenings({ happened, removals, problems }: Course, output: Output): string {
  const slowest = Math.max(0, ...removals) / 1000
  return [
    `Faults and changes: ${listed(happened)}.`,
    `Removed targets went within ${slowest.toFixed(1)} s.`,
    `The log: ${output.requests} requests; ${listed(output.notices)}.`,
    ...some('Did not go as it has to', problems),
    ...some('Should not be in the output', output.problems),
  ].join('\n')
}

/** What the gateway has to answer for, in full. */
export function graveOnes({ grave }: Ledger): string[] {
  return some('Requests that must not be', grave.map(told))
}

/** Not judged: which of the targets that seem well are is for the gateway to find out. */
export function avoidableOnes(endings: readonly Ending[]): string[] {
  return [
    `GETs of small answers that failed although a target was well: ${endings.length}.`,
    ...endings.slice(0, linesShown).map((ending) => `  ${told(ending)}`),
  ]
}

function told({ id, kind, fate, detail, at, end, attempts }: Ending): string {
  const took = (end - at).toFixed(0)
  return `${fate} ${detail}: ${kind} ${id}, sent at ${(at / 1000).toFixed(2)} s, ended ${took} ms later${attempts === undefined ? '' : ` (${attempts})`}`
}

export function verdictTable(verdicts: readonly Verdict[]): string {
  const width = Math.max(...verdicts.map(({ name }) => name.length))
  return verdicts
    .map(({ name, ok, figures }) => `${ok ? 'ok    ' : 'FAILED'}  ${name.padEnd(width)}  ${figures}`)
    .join('\n')
}

function some(title: string, lines: readonly string[]): string[] {
  if (lines.length === 0) return []
  const more = lines.length > linesShown ? [`  and ${lines.length - linesShown} more`] : []
  return [`${title}:`, ...lines.slice(0, linesShown).map((line) => `  ${line}`), ...more]
}

function listed(counts: ReadonlyMap<string, number>): string {
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([name, count]) => `${count} x ${name}`)
    .join(', ')
}
