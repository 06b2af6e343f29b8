/** A number for people: no more digits behind the point than say something. Of milliseconds three are microseconds. */
export function rounded(value: number, digits = 3): number {
  const unit = 10 ** digits
  return Math.round(value * unit) / unit
}
