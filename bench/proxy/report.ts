import type { Sample } from './measure.ts'
import { disturbedAbove } from './quiet.ts'

/** Per proxy one sample per round, in the order of the rounds. */
export type Results = ReadonlyMap<string, readonly Sample[]>

const comparedWith = ['reply-from', 'http-proxy', 'caddy', 'undici-by-hand'] as const

const goals: readonly { against: string; atMost: number }[] = [
  { against: 'reply-from', atMost: 0.75 },
  { against: 'http-proxy', atMost: 0.65 },
  { against: 'caddy', atMost: 0.95 },
]

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** (max - min) / median. */
export function spread(values: readonly number[]): number {
  return (Math.max(...values) - Math.min(...values)) / median(values)
}

/** The CPU per request of the cheapest window: disturbance only ever adds. */
function best(samples: readonly Sample[]): number {
  return Math.min(...samples.map((sample) => sample.cpuPerRequest))
}

/** CPU per request of one proxy over another's, round by round. */
function ratios(results: Results, name: string, against: string): number[] {
  const others = results.get(against) ?? []
  return (results.get(name) ?? []).flatMap((sample, round) => {
    const other = others[round]
    return other === undefined ? [] : [sample.cpuPerRequest / other.cpuPerRequest]
  })
}

export function report(results: Results, repeated: number): string {
  const lines = [...table(rows(results)), '', ...noise(results, repeated)]
  if (results.has('holdfast')) lines.push('', ...goals.map((goal) => verdict(results, goal)))
  return lines.join('\n')
}

function rows(results: Results): string[][] {
  const header = ['proxy', 'CPU µs/req', 'best', ...comparedWith.map((name) => `/ ${name}`)]
  header.push('req/s', 'p50 ms', 'p99 ms', 'errors', 'spread', 'core', 'others')
  const body = [...results].map(([name, samples]) => {
    const middle = (read: (sample: Sample) => number) => median(samples.map(read))
    const errors = samples.reduce((sum, sample) => sum + sample.socketErrors + sample.badStatus, 0)
    return [
      name,
      middle((sample) => sample.cpuPerRequest).toFixed(1),
      best(samples).toFixed(1),
      ...comparedWith.map((other) => {
        const all = ratios(results, name, other)
        return all.length === 0 ? '-' : median(all).toFixed(2)
      }),
      middle((sample) => sample.perSecond).toFixed(0),
      middle((sample) => sample.p50Ms).toFixed(2),
      middle((sample) => sample.p99Ms).toFixed(2),
      String(errors),
      samples.length < 2 ? '-' : percent(spread(samples.map((sample) => sample.cpuPerRequest))),
      percent(middle((sample) => sample.ownCore)),
      percent(middle((sample) => sample.foreign)),
    ]
  })
  return [header, ...body]
}

function table(cells: string[][]): string[] {
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)))
  const line = (row: string[]) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  ')
  return [line(cells[0]!), widths.map((width) => '-'.repeat(width)).join('  '), ...cells.slice(1).map(line)]
}

function noise(results: Results, repeated: number): string[] {
  const spreads = [...results].map(([name, samples]) => ({
    name,
    value: spread(samples.map((sample) => sample.cpuPerRequest)),
  }))
  const worst = spreads.reduce((a, b) => (b.value > a.value ? b : a))
  const middle = median(spreads.map(({ value }) => value))
  const rounds = Math.max(...[...results.values()].map((samples) => samples.length))
  if (rounds < 2) return ['Noise: unknown after one round; no ratio means anything yet.']
  const lines = [
    `Noise: the CPU per request of one and the same proxy varied between rounds by ${percent(middle)} (median proxy)` +
      ` to ${percent(worst.value)} (${worst.name}).`,
    'A difference between two proxies that is smaller than their spread means nothing.',
  ]
  for (const [name, samples] of results) {
    const opened = median(samples.map((sample) => sample.upstreamConnections / sample.requests))
    if (opened > 0.01)
      lines.push(`Doubtful: ${name} opened ${percent(opened)} as many upstream connections as requests.`)
    const sent = median(samples.map((sample) => sample.upstreamRequests))
    if (Math.abs(sent - 1) > 0.02)
      lines.push(`Doubtful: ${name} sent ${sent.toFixed(2)} requests upstream per request.`)
  }
  const windows = [...results.values()].flat()
  const disturbed = windows.filter(({ foreign }) => foreign > disturbedAbove).length
  const repeats = `${repeated} ${repeated === 1 ? 'window was' : 'windows were'} measured again`
  lines.push(
    `Other programs disturbed ${disturbed} of ${windows.length} windows (took over ${percent(disturbedAbove)} of a core);` +
      ` ${repeats} for that reason.${disturbed > windows.length / 10 ? ' Doubtful: run it again on a quiet machine.' : ''}`,
  )
  return lines
}

function verdict(results: Results, { against, atMost }: { against: string; atMost: number }): string {
  const all = ratios(results, 'holdfast', against)
  const goal = `holdfast/${against} <= ${atMost.toFixed(2)}`
  if (all.length === 0) return `${goal}: not measured`
  const [value, least, most] = [median(all), Math.min(...all), Math.max(...all)]
  const close = least <= atMost && most > atMost ? '; the rounds disagree' : ''
  const ofBest = best(results.get('holdfast') ?? []) / best(results.get(against) ?? [])
  return (
    `${goal}: ${value <= atMost ? 'met' : 'not met'}, ${value.toFixed(3)}` +
    ` (rounds ${least.toFixed(3)} to ${most.toFixed(3)}${close}; best windows ${ofBest.toFixed(3)})`
  )
}

function percent(share: number): string {
  return `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`
}
