/** How long a target is out, and how many may be. */

/** Fraction of the time that is added at random, so that targets ejected together do not return together. */
const JITTER = 0.1
/**
 * How long a silent target is out the first time, in milliseconds; then twice as long each time. Finagle's failure
 * accrual begins with as much. A pause is soon over, and nobody hears of it: what waited has gone elsewhere.
 */
const SILENT_MS = 5000
/** A crumb of rounding: 0.29 x 100 is 28.999... */
const CRUMB = 1e-9

export interface EjectionOptions {
  /** Milliseconds. */
  readonly baseEjection: number
  /** Milliseconds. */
  readonly maxEjection: number
}

/** How a tier stands, targets that drain left out. */
export interface Standing {
  readonly tier: number
  readonly size: number
  readonly ejected: number
}

/** One target's time out. */
export interface Ejection {
  /** Milliseconds, monotonic. */
  readonly at: number
  readonly until: number
  /** A success counts towards an early return if it took less: one that was too slow must prove to be quick. */
  readonly quickMs: number
  /** Successes in a row since. */
  successes: number
}

/** Times ejected, one more; not above what the longest ejection has a use for, or it would take long to forget. */
export function oneMore(times: number, { baseEjection, maxEjection }: EjectionOptions): number {
  return Math.min(times + 1, Math.max(1, Math.ceil(maxEjection / baseEjection)))
}

/**
 * Milliseconds: Envoy's base x times, capped, plus up to a tenth at random.
 * @param silent it did not fail, it only gave no answer: less at first
 */
export function ejectionMs(
  times: number,
  { baseEjection, maxEjection }: EjectionOptions,
  random: () => number,
  silent = false,
): number {
  const most = silent ? SILENT_MS * 2 ** (times - 1) : maxEjection
  return Math.min(baseEjection * times, most, maxEjection) * (1 + JITTER * random())
}

/**
 * How many targets of a tier of `size` may be out at the same time. Envoy's `max_ejection_percent` (10 % there, but at
 * least one): of three targets two may be, and the only one of a tier where another tier has one left.
 */
export function mostEjected(size: number, maxEjected: number): number {
  return Math.max(1, Math.floor(size * maxEjected + CRUMB))
}

/**
 * Whether one more target of the tier may be ejected: within the cap, and not the last one.
 * @param left targets of the upstream, over all tiers, that are not ejected
 */
export function mayEject({ size, ejected }: Standing, left: number, maxEjected: number): boolean {
  return ejected < mostEjected(size, maxEjected) && left > 1
}

/** Why `mayEject` says no, or undefined if it does not. */
export function refusal(standing: Standing, left: number, maxEjected: number): string | undefined {
  if (mayEject(standing, left, maxEjected)) return undefined
  const { tier, size, ejected } = standing
  const most = mostEjected(size, maxEjected)
  if (ejected >= most) return `the cap of ${most} of ${size} in tier ${tier} is reached`
  return 'the cap of all but one of the upstream is reached'
}

/** How many in a row eject a target: fewer once it has returned and has not proved itself yet. */
export function fewer(inARow: number, unproven: boolean): number {
  return unproven ? Math.max(1, Math.ceil(inARow / 2)) : inARow
}
