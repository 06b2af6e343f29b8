/** How a tier stands: how many targets it has, and how many of them may be used. */
export interface TierHealth {
  readonly eligible: number
  readonly total: number
}

/** Envoy's overprovisioning factor: a tier carries all the traffic until fewer than 1 / 1.4 (72 %) of it are left. */
const OVERPROVISIONING = 1.4

function healthOf({ eligible, total }: TierHealth, overprovisioning: number): number {
  return total === 0 ? 0 : Math.min(1, (overprovisioning * eligible) / total)
}

/** Whether all tiers together can carry all the traffic. */
export function carries(tiers: readonly TierHealth[]): boolean {
  return tiers.reduce((sum, tier) => sum + healthOf(tier, OVERPROVISIONING), 0) >= 1
}

/**
 * The share of the traffic that each tier gets, tier 0 first; the shares sum to 1 unless no target is left at all.
 *
 * Envoy's priority levels: health(t) = min(1, 1.4 x eligible / total); a tier takes its health of what the tiers
 * before it left over; where all together do not come to 1 they are scaled up to it.
 *
 * @param overprovisioning what is left of a tier carries all its traffic down to 1 / overprovisioning. Default 1.4
 */
export function tierShares(
  tiers: readonly TierHealth[],
  overprovisioning: number = OVERPROVISIONING,
): number[] {
  const health = tiers.map((tier) => healthOf(tier, overprovisioning))
  const sum = Math.min(
    1,
    health.reduce((total, one) => total + one, 0),
  )
  let left = 1
  return health.map((one) => {
    const share = sum === 0 ? 0 : Math.min(left, one / sum)
    left -= share
    // What is left of 1 after subtracting shares that sum to 1 may be a rounding crumb.
    return share < 1e-12 ? 0 : share
  })
}

/**
 * The tiers in which health is set aside because so few targets are left that it is more likely wrong than right, or
 * that those left would go down under the load: better some errors than none served.
 *
 * Envoy's panic: only if all tiers together cannot carry the traffic, and then each tier of which less than
 * `threshold` may be used.
 */
export function inPanic(tiers: readonly TierHealth[], threshold: number): boolean[] {
  const needed = !carries(tiers)
  return tiers.map(({ eligible, total }) => needed && total > 0 && eligible / total < threshold)
}
