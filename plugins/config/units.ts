/** Durations and sizes as people write them. */

const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/
const MILLISECONDS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}
const SIZE = /^(\d+(?:\.\d+)?)(B|KiB|MiB|GiB)$/
const BYTES: Readonly<Record<string, number>> = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 }

function parse(value: unknown, form: RegExp, units: Readonly<Record<string, number>>): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) && value >= 0 ? value : undefined
  if (typeof value !== 'string') return undefined
  const [, digits, unit] = form.exec(value) ?? []
  return digits === undefined || unit === undefined ? undefined : Number(digits) * (units[unit] as number)
}

/** Milliseconds, or undefined if it is no duration. */
export function parseDuration(value: unknown): number | undefined {
  return parse(value, DURATION, MILLISECONDS)
}

/** Whole bytes, or undefined if it is no size. */
export function parseSize(value: unknown): number | undefined {
  const bytes = parse(value, SIZE, BYTES)
  return bytes === undefined ? undefined : Math.floor(bytes)
}
