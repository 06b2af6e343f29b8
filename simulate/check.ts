import { type Fleet, targetCount } from './fleet.ts'

const KEYS: Readonly<Record<keyof Fleet, true>> = {
  about: true,
  targets: true,
  service: true,
  arrivals: true,
  discipline: true,
  gateways: true,
  deadlineMs: true,
  limit: true,
  antagonists: true,
  failures: true,
  health: true,
  keys: true,
  cache: true,
  reports: true,
  requests: true,
  warmup: true,
  policies: true,
}

const SERVICES: Readonly<Record<string, readonly string[]>> = {
  constant: ['meanMs'],
  exponential: ['meanMs'],
  lognormal: ['meanMs', 'sigma'],
  pareto: ['meanMs', 'alpha'],
  bimodal: ['shortMs', 'longMs', 'longShare'],
}

/**
 * A fleet may come from a JSON file, where no compiler has looked at it.
 *
 * @throws Error that names the first thing that is wrong, and the remedy
 */
export function checkFleet(value: unknown, name: string): Fleet {
  const fleet = value as Fleet
  const problem = problemOf(fleet)
  if (problem !== undefined) throw new Error(`${name}: ${problem}`)
  return fleet
}

function problemOf(fleet: Fleet): string | undefined {
  if (typeof fleet !== 'object' || fleet === null) return 'is no fleet; export an object as default'
  const unknown = Object.keys(fleet).find((key) => !(key in KEYS))
  if (unknown !== undefined) return `${unknown}: unknown key; there are ${Object.keys(KEYS).join(', ')}`
  if (typeof fleet.about !== 'string') return 'about: say in a line what it is'
  return (
    targetsProblem(fleet) ??
    serviceProblem(fleet) ??
    (above(fleet.arrivals?.load) ? undefined : 'arrivals.load: part of what the fleet can carry, above 0') ??
    (['fifo', 'sharing'].includes(fleet.discipline) ? undefined : 'discipline: write "fifo" or "sharing"') ??
    (whole(fleet.requests, 1) ? undefined : 'requests: a whole number from 1 on') ??
    (whole(fleet.gateways ?? 1, 1) ? undefined : 'gateways: a whole number from 1 on') ??
    (whole(fleet.limit ?? 1, 1) ? undefined : 'limit: a whole number from 1 on') ??
    (above(fleet.deadlineMs ?? 1) ? undefined : 'deadlineMs: milliseconds, above 0') ??
    (share(fleet.warmup ?? 0) && fleet.warmup !== 1 ? undefined : 'warmup: at least 0 and below 1') ??
    ([undefined, 'utilisation', 'rif'].includes(fleet.reports)
      ? undefined
      : 'reports: write "utilisation" or "rif"') ??
    (fleet.cache !== undefined && fleet.keys === undefined ? 'cache: needs keys' : undefined) ??
    troubleProblem(fleet)
  )
}

function targetsProblem({ targets }: Fleet): string | undefined {
  if (!Array.isArray(targets) || targets.length === 0) return 'targets: needs at least one group'
  for (const [i, { count, capacity = 1, speed = 1, weight = 1 }] of targets.entries()) {
    if (!whole(count, 1)) return `targets[${i}].count: a whole number from 1 on`
    if (!whole(capacity, 1)) return `targets[${i}].capacity: a whole number from 1 on`
    if (!above(speed)) return `targets[${i}].speed: above 0`
    if (!(weight >= 0)) return `targets[${i}].weight: 0 or more`
  }
  return undefined
}

function serviceProblem({ service }: Fleet): string | undefined {
  const figures = SERVICES[service?.kind]
  if (figures === undefined) return `service.kind: write one of ${Object.keys(SERVICES).join(', ')}`
  const missing = figures.find((figure) => !above((service as never)[figure]))
  if (missing !== undefined) return `service.${missing}: a number above 0`
  if (service.kind === 'pareto' && service.alpha <= 1) {
    return 'service.alpha: above 1, or there is no mean'
  }
  if (service.kind === 'bimodal' && !share(service.longShare)) return 'service.longShare: at most 1'
  return undefined
}

function troubleProblem(fleet: Fleet): string | undefined {
  const count = targetCount(fleet)
  const entries = [...(fleet.antagonists ?? []), ...(fleet.failures ?? [])]
  for (const { targets } of entries) {
    const fits = Array.isArray(targets)
      ? targets.every((number) => whole(number, 0) && number < count)
      : share((targets as { share: number })?.share)
    if (!fits) return `targets of antagonists and failures: numbers from 0 to ${count - 1}, or { share: 0.1 }`
  }
  for (const { slowdown, onMs, offMs } of fleet.antagonists ?? []) {
    if (!above(slowdown) || !above(onMs) || !(offMs >= 0))
      return 'antagonists: slowdown and onMs above 0, offMs 0 or more'
  }
  for (const { mode, fromMs, toMs } of fleet.failures ?? []) {
    if (!['errors', 'refuses', 'freezes'].includes(mode))
      return 'failures: mode "errors", "refuses" or "freezes"'
    if (!(fromMs >= 0 && toMs > fromMs && toMs < Number.POSITIVE_INFINITY)) {
      return 'failures: fromMs 0 or more, toMs above it, and both an end'
    }
  }
  return undefined
}

function above(value: unknown): boolean {
  return typeof value === 'number' && value > 0 && Number.isFinite(value)
}

function share(value: unknown): boolean {
  return typeof value === 'number' && value >= 0 && value <= 1
}

function whole(value: unknown, least: number): boolean {
  return Number.isInteger(value) && (value as number) >= least
}
