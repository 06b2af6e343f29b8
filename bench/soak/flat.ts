// Whether something grows, or only moves up and down.

export interface Point {
  x: number
  y: number
}

/** A straight line through points, by least squares, with the interval that holds its slope with 95 % confidence. */
export interface Trend {
  slope: number
  low: number
  high: number
}

/** Of the normal distribution: 95 % lie within this many standard deviations. */
const z95 = 1.959964

/**
 * Residuals that follow each other closely carry less news than independent ones: by the correlation of neighbours r,
 * n of them are worth n (1 - r) / (1 + r) (the effective sample size of a first-order autoregression). Undefined
 * with fewer than four points, or if all lie at the same place.
 */
export function trend(points: readonly Point[]): Trend | undefined {
  const n = points.length
  if (n < 4) return undefined
  const meanX = mean(points.map(({ x }) => x))
  const meanY = mean(points.map(({ y }) => y))
  const spreadX = sum(points.map(({ x }) => (x - meanX) ** 2))
  if (spreadX === 0) return undefined
  const slope = sum(points.map(({ x, y }) => (x - meanX) * (y - meanY))) / spreadX
  const residuals = points.map(({ x, y }) => y - meanY - slope * (x - meanX))
  const squares = sum(residuals.map((residual) => residual ** 2))
  const neighbours = sum(residuals.slice(1).map((residual, i) => residual * residuals[i]!))
  const r = squares === 0 ? 0 : Math.min(0.95, Math.max(0, neighbours / squares))
  const worth = Math.max(3, (n * (1 - r)) / (1 + r))
  const error = Math.sqrt(squares / (worth - 2) / spreadX) * Math.sqrt(n / worth)
  const reach = student95(worth - 2) * error
  return { slope, low: slope - reach, high: slope + reach }
}

/**
 * Two-sided 95 % quantile of Student's t: the Cornish-Fisher expansion of Abramowitz and Stegun 26.7.5, good to 1 %
 * from 3 degrees of freedom on. Below, the exact values of 1 and 2.
 */
export function student95(freedom: number): number {
  if (freedom < 2) return 12.706
  if (freedom < 3) return 4.303
  const z = z95
  return (
    z +
    (z ** 3 + z) / (4 * freedom) +
    (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * freedom ** 2) +
    (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / (384 * freedom ** 3)
  )
}

/** How much a trend amounts to over a span of x. */
export function growth({ slope, low, high }: Trend, span: number): Trend {
  return { slope: slope * span, low: low * span, high: high * span }
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0)
}

function mean(values: readonly number[]): number {
  return sum(values) / values.length
}
