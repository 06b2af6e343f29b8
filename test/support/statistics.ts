import assert from 'node:assert/strict'

/** The point of the standard normal that is exceeded once in 20,000 (or, mirrored, undercut). */
const Z = 3.89

/** Pearson's statistic of what was seen against what was expected. */
export function chiSquare(seen: readonly number[], expected: readonly number[]): number {
  return seen.reduce((sum, count, i) => {
    const wanted = expected[i] as number
    return sum + (count - wanted) ** 2 / wanted
  }, 0)
}

/** Quantile of the chi-square distribution at z of the standard normal: Wilson and Hilferty's cube (1931). */
function chiSquareQuantile(freedom: number, z: number): number {
  const spread = 2 / (9 * freedom)
  return freedom * Math.max(0, 1 - spread + z * Math.sqrt(spread)) ** 3
}

/**
 * Holds counts to their expectation from both sides: too far off is a wrong distribution, too near is no
 * random one. By chance it fails once in 10,000 seeds, and a seed is fixed.
 */
export function assertDistributed(
  seen: readonly number[],
  expected: readonly number[],
  { random = true }: { random?: boolean } = {},
): void {
  const freedom = seen.length - 1
  const statistic = chiSquare(seen, expected)
  const most = chiSquareQuantile(freedom, Z)
  const shown = `seen ${seen.join(' ')}, expected ${expected.map((n) => n.toFixed(1)).join(' ')}`
  assert.ok(
    statistic <= most,
    `too far off: chi-square ${statistic.toFixed(2)} is above ${most.toFixed(2)}; ${shown}`,
  )
  // With few degrees of freedom a perfect fit is no wonder: the lower bound is then 0.
  const least = random ? chiSquareQuantile(freedom, -Z) : 0
  assert.ok(
    statistic >= least,
    `too good to be random: chi-square ${statistic} is below ${least.toFixed(4)}; ${shown}`,
  )
}

/** Holds a share of `n` throws to `p`, from both sides, within what a binomial of that size gives. */
export function assertShare(count: number, n: number, p: number): void {
  const margin = Z * Math.sqrt((p * (1 - p)) / n)
  assert.ok(
    Math.abs(count / n - p) <= margin,
    `${count} of ${n} is ${(count / n).toFixed(4)}, not ${p.toFixed(4)} give or take ${margin.toFixed(4)}`,
  )
}
