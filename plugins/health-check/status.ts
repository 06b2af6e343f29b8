/** Statuses from the first to the last, both included. */
export type StatusRange = readonly [first: number, last: number]

const RANGE = /^([2-5]\d\d)-([2-5]\d\d)$/

function rangeOf(value: unknown): StatusRange | undefined {
  if (typeof value === 'number')
    return Number.isInteger(value) && value >= 200 && value <= 599 ? [value, value] : undefined
  const [, first, last] = typeof value === 'string' ? (RANGE.exec(value) ?? []) : []
  return first === undefined || Number(first) > Number(last) ? undefined : [Number(first), Number(last)]
}

/** Why this is neither a status nor a range of them, or undefined if it is one. */
export function refuseStatus(value: unknown): string | undefined {
  return rangeOf(value) === undefined
    ? `${JSON.stringify(value)} is no status and no range of them`
    : undefined
}

/** Reads values that `refuseStatus` has let pass. */
export function statusRanges(values: readonly (number | string)[]): readonly StatusRange[] {
  return values.flatMap((value) => {
    const range = rangeOf(value)
    return range === undefined ? [] : [range]
  })
}

export function within(ranges: readonly StatusRange[], status: number): boolean {
  return ranges.some(([first, last]) => first <= status && status <= last)
}
