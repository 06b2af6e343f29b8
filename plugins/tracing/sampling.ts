/** Which traces are recorded. */

/** When a request ends, one that was not chosen at its beginning is recorded all the same. */
export interface SampleOptions {
  /** 0..1 of the traces that begin here. */
  readonly ratio: number
  /** Those that failed. */
  readonly errors: boolean
  /** Those that took longer than so many milliseconds. */
  readonly slowerThan?: number
}

/** Hexadecimal digits that the choice is made by: 52 bits, as many as a number holds exactly. */
const DIGITS = 13

/**
 * Whether a trace is among the share of traces that are recorded: the same everywhere that this trace comes by, and
 * with a smaller ratio a part of those with a larger one. OpenTelemetry's consistent probability sampling, by the
 * random last 56 bits of the id, of which the first 52 are taken.
 * @param ratio 0..1
 */
export function chosen(traceId: string, ratio: number): boolean {
  if (ratio >= 1) return true
  const randomness = Number.parseInt(traceId.slice(18, 18 + DIGITS), 16)
  return randomness >= (1 - ratio) * 2 ** (4 * DIGITS)
}

/** How a request went, as far as it decides whether it is recorded. */
export interface Ending {
  readonly status: number
  readonly aborted: boolean
  readonly totalMs: number
}

/** Whether a request that was not chosen is worth recording after all. */
export function worthKeeping(
  { status, aborted, totalMs }: Ending,
  { errors, slowerThan }: SampleOptions,
): boolean {
  // 0: it was there, and got nothing.
  if (errors && (status >= 500 || status === 0 || aborted)) return true
  // A tunnel takes as long as it is wanted.
  return slowerThan !== undefined && totalMs > slowerThan && status !== 101
}
