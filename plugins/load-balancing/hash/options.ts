/** Options of the balancers that go by a request's key: names, types, defaults. */
import { custom, integer, object, withDefault } from '../../config/kit.ts'
import { show } from '../../config/messages.ts'
import { isObject } from '../../config/plain.ts'
import type { Bound } from './bounded-load.ts'
import { type KeySources, keySourcesProblem } from './key-source.ts'
import { isPrime, nextPrime } from './primes.ts'

/** A bound on what one target has under way, relative to the mean of all. */
export interface Bounded {
  /** So much above the mean, at least 0.0001: 0.25 is 25 %. Default 0.25. */
  readonly eps?: number | undefined
  /**
   * A target with fewer requests under way than this takes another one, whatever the mean: 1 is the bound to the
   * letter. Each gateway counts its own, so with many gateways a target may have so many of each. Default 2.
   */
  readonly floor?: number | undefined
}

const USUAL_EPS = 0.25
/** Looking for room takes up to some 16 / eps steps. */
const SMALLEST_EPS = 0.0001
const USUAL_FLOOR = 2
const LARGEST_FLOOR = 1000
/** As Envoy has it. */
const LARGEST_TABLE = 5_000_011

const keyed = {
  /** What requests are told apart by. Of a list, the first that a request has. Default `'client-address'`. */
  on: withDefault(custom<KeySources>(keySourcesProblem), 'client-address'),
  /** What would put a target above its bound goes to the next one of its key. `false`: no bound. Default `{ eps: 0.25, floor: 2 }`. */
  bounded: withDefault(custom<Bounded | false>(boundedProblem), { eps: USUAL_EPS, floor: USUAL_FLOOR }),
}

export const ringHashOptions = object({
  ...keyed,
  /** Points on the ring for each unit of weight: more are more even. Default 160. */
  points: withDefault(integer({ minimum: 1, maximum: 4096, remedy: '160 is usual' }), 160),
})

export const maglevOptions = object({
  ...keyed,
  /** Entries of the table: a prime, best above 100 times the number of targets. Default 65537. */
  tableSize: withDefault(custom<number>(tableSizeProblem), 65_537),
})

export function boundOf(bounded: Bounded | false): Bound | undefined {
  if (bounded === false) return undefined
  const { eps = USUAL_EPS, floor = USUAL_FLOOR } = bounded
  return { eps, floor }
}

function boundedProblem(bounded: unknown): string | undefined {
  if (bounded === false) return undefined
  if (!isObject(bounded)) return `must be { eps: 0.25 } or false, is ${show(bounded)}`
  const unknown = Object.keys(bounded).find((key) => key !== 'eps' && key !== 'floor')
  if (unknown !== undefined) return `has no "${unknown}"; write { eps: 0.25 } or false`
  const { eps = USUAL_EPS, floor = USUAL_FLOOR } = bounded
  if (!Number.isInteger(floor) || (floor as number) < 1 || (floor as number) > LARGEST_FLOOR) {
    return `floor must be a whole number from 1 to ${LARGEST_FLOOR}, is ${show(floor)}; ${USUAL_FLOOR} is usual`
  }
  if (typeof eps === 'number' && eps >= SMALLEST_EPS && Number.isFinite(eps)) return undefined
  const why = eps === 0 ? ', since nobody can be held to the mean exactly' : ''
  const least =
    typeof eps === 'number' && eps > 0 && eps < SMALLEST_EPS ? `at least ${SMALLEST_EPS}` : 'above 0'
  return `eps must be ${least}${why}, is ${show(eps)}; 0.25 is usual, and \`bounded: false\` is no bound`
}

function tableSizeProblem(size: unknown): string | undefined {
  if (typeof size !== 'number' || !(size >= 2 && size <= LARGEST_TABLE)) {
    return `must be a prime from 2 to ${LARGEST_TABLE}, is ${show(size)}; 65537 is usual`
  }
  if (isPrime(size)) return undefined
  const kind = !Number.isInteger(size) ? 'no whole number' : size % 2 === 0 ? 'even' : 'no prime'
  // Else a target's steps through the table would come back before they have seen all of it.
  return `${size} is ${kind}, and the table needs a prime; the next is ${nextPrime(size)}`
}
