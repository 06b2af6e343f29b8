import { growth, type Point, trend } from './flat.ts'
import type { Ledger } from './ledger.ts'

/** One look at the gateway under load; sizes in bytes. */
export interface Sample {
  /** Seconds since the beginning. */
  at: number
  phase: string
  resident: number
  sockets: number
  /** Attempts under way, as the gateway counts them. */
  inflight: number
  /** Requests under way, as our clients count them. */
  open: number
  /** After a full garbage collection; not in every sample. */
  heap?: number
  external?: number
}

/** The gateway with nothing to do; sizes in bytes. */
export interface QuietState {
  heap: number
  external: number
  resident: number
  descriptors: number
  sockets: number
  inflight: number
  /** What the event loop waits for, by type. */
  resources: Record<string, number>
  /** One line per target. */
  targets: string[]
}

export interface Verdict {
  name: string
  ok: boolean
  figures: string
}

export const mib = 2 ** 20
/** What may stay for good: feedback and code of paths that were first taken late. */
const heapMayGrow = 3 * mib
const externalMayGrow = 2 * mib
/** malloc does not give everything back, and not always the same. */
const residentMayGrow = 0.25
/** Below this share of answers, the run says little about anything. */
const leastAnswered = 0.7

export interface Facts {
  quiet: readonly [first: QuietState, middle: QuietState, last: QuietState]
  /** Of all phases under load after the warm-up. */
  samples: readonly Sample[]
  ledger: Ledger
  twice: number
  lost: number
  outputProblems: number
  /** Faults and changes that did not go as they have to, and looks that failed. */
  problems: readonly string[]
  drain: Drain
}

export interface Drain {
  ledger: Ledger
  /** How the gateway ended, and how long after SIGTERM (ms). */
  ended: string
  ms: number
}

export function verdicts({ quiet, samples, ledger, drain, ...facts }: Facts): Verdict[] {
  const [first, middle, last] = quiet
  const none = (name: string, count: number, figures = `${count}`) => ({ name, ok: count === 0, figures })
  const answered = ledger.count('answered') / Math.max(1, ledger.ended - ledger.count('left'))
  const notServed = drain.ledger.sent - drain.ledger.count('answered') - drain.ledger.count('left')
  const residentAllowed = residentMayGrow * middle.resident
  return [
    kept('heap back after each quiet phase', first.heap, middle.heap, last.heap, heapMayGrow),
    heapTrend(samples),
    kept('memory outside the heap', first.external, middle.external, last.external, externalMayGrow),
    kept('resident memory', first.resident, middle.resident, last.resident, residentAllowed, 'middle'),
    {
      name: 'open sockets and files',
      ok: last.descriptors <= first.descriptors && middle.descriptors <= first.descriptors,
      figures: quiet.map(({ descriptors, sockets }) => `${descriptors} (${sockets} sockets)`).join(', '),
    },
    { name: 'what the event loop waits for', ...resources(first, last) },
    {
      name: 'in flight with nothing to do',
      ok: quiet.every(({ inflight }) => inflight === 0),
      figures: quiet.map(({ inflight }) => inflight).join(', '),
    },
    {
      name: 'targets as they were',
      ok: quiet.every(({ targets }) => targets.toSorted().join() === first.targets.toSorted().join()),
      figures: quiet.map(({ targets }) => targets.length).join(', '),
    },
    none('requests without an end', ledger.count('hung') + (ledger.sent - ledger.ended)),
    none('requests without an answer', ledger.count('unanswered')),
    none('wrong answers', ledger.count('wrong')),
    none('POSTs executed twice', facts.twice),
    none('POSTs answered and not executed', facts.lost),
    none('warnings and errors in the output', facts.outputProblems),
    none('faults and changes that failed', facts.problems.length),
    {
      name: 'enough is answered to mean anything',
      ok: answered >= leastAnswered,
      figures: `${(answered * 100).toFixed(1)} %`,
    },
    {
      name: 'exit code 0 on SIGTERM',
      ok: drain.ended === 'exit code 0',
      figures: `${drain.ended}, after ${(drain.ms / 1000).toFixed(1)} s`,
    },
    none('lost while draining', notServed, `${notServed} of ${drain.ledger.sent}`),
  ]
}

function kept(
  name: string,
  first: number,
  middle: number,
  last: number,
  allowed: number,
  from: 'first' | 'middle' = 'first',
): Verdict {
  const grown = last - (from === 'first' ? first : middle)
  const all = [first, middle, last].map(inMiB).join(', ')
  return { name, ok: grown <= allowed, figures: `${all} MiB: ${signed(grown)}, may be ${inMiB(allowed)}` }
}

/** A leak shows as a slope that even the lower end of its interval puts above what may stay. */
function heapTrend(samples: readonly Sample[]): Verdict {
  const name = 'heap under load, after collections'
  const points = samples.flatMap(({ at, heap }): Point[] => (heap === undefined ? [] : [{ x: at, y: heap }]))
  const line = trend(points)
  if (line === undefined) return { name, ok: false, figures: `only ${points.length} samples` }
  const { slope, low, high } = growth(line, points.at(-1)!.x - points[0]!.x)
  return {
    name,
    ok: low <= heapMayGrow,
    figures: `${signed(slope)} MiB in the run, 95 % within ${signed(low)} to ${signed(high)}, ${points.length} samples`,
  }
}

/** Timers of the gateway come and go; what must not stay are handles of connections, files and requests. */
function resources(first: QuietState, last: QuietState): { ok: boolean; figures: string } {
  const more = Object.entries(last.resources).filter(([type, count]) => count > (first.resources[type] ?? 0))
  if (more.length > 0) {
    const figures = more.map(([type, count]) => `${type} ${first.resources[type] ?? 0} to ${count}`)
    return { ok: false, figures: figures.join(', ') }
  }
  const all = Object.entries(last.resources).filter(([, count]) => count > 0)
  return { ok: true, figures: all.map(([type, count]) => `${count} ${type}`).join(', ') }
}

function inMiB(bytes: number): string {
  return (bytes / mib).toFixed(2)
}

function signed(bytes: number): string {
  return `${bytes < 0 ? '-' : '+'}${inMiB(Math.abs(bytes))}`
}
