/** Durations and sizes as people write them. */

const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/
const MILLISECONDS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}
/** The longest that a timer may be set for, in whole days: one of 2^31 ms or more fires at once. */
export const LONGEST_MS = 24 * 86_400_000
const SIZE = /^(\d+(?:\.\d+)?)(B|KiB|MiB|GiB)$/
const BYTES: Readonly<Record<string, number>> = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 }

function parse(value: unknown, form: RegExp, units: Readonly<Record<string, number>>): number | undefined {
  let number = Number.NaN
  if (typeof value === 'number') number = value
  else if (typeof value === 'string') {
    const [, digits, unit = ''] = form.exec(value) ?? []
    number = Number(digits) * (units[unit] as number)
  }
  return Number.isFinite(number) && number >= 0 ? number : undefined
}

/** Milliseconds, or undefined if it is no duration. */
export function parseDuration(value: unknown): number | undefined {
  return parse(value, DURATION, MILLISECONDS)
}

/** Whole bytes, or undefined if it is no size. */
export function parseSize(value: unknown): number | undefined {
  const bytes = Math.floor(parse(value, SIZE, BYTES) ?? Number.NaN)
  return Number.isSafeInteger(bytes) ? bytes : undefined
}
