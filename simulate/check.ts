/** Fleets as they are written. One may come from a JSON file, where no compiler has looked at it. */
import { ConfigError, type Problem } from '../plugins/config/errors.ts'
import {
  custom,
  decimal,
  integer,
  list,
  nonEmptyList,
  object,
  oneOf,
  optional,
  text,
} from '../plugins/config/kit.ts'
import { show, written } from '../plugins/config/messages.ts'
import { isObject } from '../plugins/config/plain.ts'
import type { Properties, Schema } from '../plugins/config/typed.ts'
import { validate } from '../plugins/config/validate.ts'
import { type Fleet, targetCount } from './fleet.ts'

const MOST = 1_000_000

const above0 = custom<number>((value) =>
  typeof value === 'number' && value > 0 && Number.isFinite(value)
    ? undefined
    : `must be a number above 0, is ${show(value)}`,
)
const atLeast0 = decimal({ minimum: 0 })
const share = decimal({ minimum: 0, maximum: 1 })
const count = integer({ minimum: 1, maximum: MOST })

/** Objects of several kinds, each with keys of its own. */
function ofKind(kinds: Readonly<Record<string, Properties>>): Schema<unknown> {
  const kind = oneOf(Object.keys(kinds))
  return {
    '~read': (value, place) => {
      const properties = isObject(value) ? kinds[String(value['kind'])] : undefined
      // Of an unknown kind nothing else can be said.
      const known =
        properties === undefined ? object({ kind }, { open: true }) : object({ kind, ...properties })
      return known['~read'](value, place)
    },
  }
}

const which: Schema<unknown> = {
  '~read': (value, place) =>
    (Array.isArray(value)
      ? list(integer({ minimum: 0 }))
      : object({ share }, { remedy: 'or a list of numbers' }))['~read'](value, place),
}

const fleet = object({
  about: text({ minLength: 1, remedy: 'say in a line what it is' }),
  targets: nonEmptyList(
    object({
      count,
      weight: optional(atLeast0),
      capacity: optional(count),
      speed: optional(above0),
      tier: optional(integer({ minimum: 0, maximum: 9 })),
      zone: optional(text()),
    }),
    { noun: 'group' },
  ),
  service: ofKind({
    constant: { meanMs: above0 },
    exponential: { meanMs: above0 },
    lognormal: { meanMs: above0, sigma: above0 },
    pareto: {
      meanMs: above0,
      alpha: custom((value) =>
        typeof value === 'number' && value > 1
          ? undefined
          : `must be above 1, or there is no mean, is ${show(value)}`,
      ),
    },
    bimodal: { shortMs: above0, longMs: above0, longShare: share },
  }),
  arrivals: object({
    load: above0,
    shape: optional(
      ofKind({
        poisson: {},
        bursts: { factor: above0, everyMs: above0, forMs: above0 },
        sine: { amplitude: share, periodMs: above0 },
      }),
    ),
  }),
  discipline: oneOf(['fifo', 'sharing']),
  gateways: optional(integer({ minimum: 1, maximum: 10_000 })),
  deadlineMs: optional(above0),
  limit: optional(count),
  antagonists: optional(list(object({ targets: which, slowdown: above0, onMs: above0, offMs: atLeast0 }))),
  failures: optional(
    list(
      object({
        targets: which,
        mode: oneOf(['errors', 'refuses', 'freezes']),
        fromMs: atLeast0,
        toMs: above0,
      }),
    ),
  ),
  health: optional(object({ afterMs: atLeast0 })),
  keys: optional(object({ count, skew: atLeast0 })),
  cache: optional(object({ keys: count, hit: share })),
  reports: optional(oneOf(['utilisation', 'rif'])),
  requests: integer({ minimum: 1000, maximum: 100_000_000 }),
  warmup: optional(decimal({ minimum: 0, maximum: 0.99 })),
  policies: optional(
    nonEmptyList(
      custom((value) =>
        typeof value === 'string' || (isObject(value) && typeof value['policy'] === 'string')
          ? undefined
          : 'names no policy; write "p2c" or { policy: "p2c" }',
      ),
      { noun: 'policy' },
    ),
  ),
})

/** @throws Error that says all that is wrong, each with its remedy */
export function checkFleet(value: unknown, name: string): Fleet {
  const { value: read, problems } = validate(fleet, value)
  const all = problems.length > 0 ? problems : crossProblems(read as Fleet)
  if (all.length > 0) throw new ConfigError(name, all)
  return read as Fleet
}

/** What only several keys together say. */
function crossProblems(fleet: Fleet): Problem[] {
  const { arrivals, antagonists = [], failures = [], cache, keys } = fleet
  const problems: Problem[] = []
  const total = targetCount(fleet)
  const refuse = (message: string, ...path: (string | number)[]): void =>
    void problems.push({ path: written(...path), message })
  if (total > MOST) refuse(`are ${total} together; ${MOST} are the most`, 'targets')
  if (cache !== undefined && keys === undefined)
    refuse('needs keys; write `keys` too, as { "count": 1000, "skew": 0.7 }', 'cache')
  const { shape } = arrivals
  if (shape?.kind === 'bursts' && shape.forMs >= shape.everyMs)
    refuse(`must be below everyMs (${shape.everyMs}), is ${shape.forMs}`, 'arrivals', 'shape', 'forMs')
  for (const [key, list] of Object.entries({ antagonists, failures })) {
    for (const [i, { targets }] of list.entries()) {
      const missing = 'share' in targets ? undefined : targets.find((number) => number >= total)
      if (missing !== undefined)
        refuse(`there is no target ${missing}; they are numbered from 0 to ${total - 1}`, key, i, 'targets')
    }
  }
  for (const [i, { fromMs, toMs }] of failures.entries())
    if (toMs <= fromMs) refuse(`must be above fromMs (${fromMs}), is ${toMs}`, 'failures', i, 'toMs')
  return problems
}
