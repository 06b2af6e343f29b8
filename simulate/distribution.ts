/** How long a request keeps one server of speed 1 busy, in milliseconds. */
export type Distribution =
  | { readonly kind: 'constant'; readonly meanMs: number }
  | { readonly kind: 'exponential'; readonly meanMs: number }
  /** `sigma` is the standard deviation of the logarithm: 0.5 is tame, 1 is usual for services, 2 is wild. */
  | { readonly kind: 'lognormal'; readonly meanMs: number; readonly sigma: number }
  /** P(X > x) = (least / x)^alpha; the smaller `alpha` the heavier the tail. Above 1; up to 2 the variance is infinite. */
  | { readonly kind: 'pareto'; readonly meanMs: number; readonly alpha: number }
  /** Most take `shortMs`, a part (`longShare`, 0..1) takes `longMs`. */
  | {
      readonly kind: 'bimodal'
      readonly shortMs: number
      readonly longMs: number
      readonly longShare: number
    }

export function meanOf(distribution: Distribution): number {
  if (distribution.kind !== 'bimodal') return distribution.meanMs
  const { shortMs, longMs, longShare } = distribution
  return shortMs * (1 - longShare) + longMs * longShare
}

/** Draws from an exponential distribution by inversion. */
export function exponential(meanMs: number, random: () => number): number {
  return -meanMs * Math.log(1 - random())
}

/** Draws from the distribution with these dice. */
export function sampler(distribution: Distribution, random: () => number): () => number {
  switch (distribution.kind) {
    case 'constant': {
      const { meanMs } = distribution
      return () => meanMs
    }
    case 'exponential': {
      const { meanMs } = distribution
      return () => exponential(meanMs, random)
    }
    case 'lognormal': {
      const { meanMs, sigma } = distribution
      const mu = Math.log(meanMs) - sigma ** 2 / 2
      // Box and Muller; the second normal is left unused, so that each draw takes two throws.
      return () => {
        const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
        return Math.exp(mu + sigma * normal)
      }
    }
    case 'pareto': {
      const { meanMs, alpha } = distribution
      const least = (meanMs * (alpha - 1)) / alpha
      return () => least * (1 - random()) ** (-1 / alpha)
    }
    case 'bimodal': {
      const { shortMs, longMs, longShare } = distribution
      return () => (random() < longShare ? longMs : shortMs)
    }
  }
}

/** Draws 0..count-1 by Zipf's law: the k-th is as likely as 1 / k^skew. By bisection, O(log count). */
export function zipf(count: number, skew: number, random: () => number): () => number {
  const upTo = new Float64Array(count)
  let sum = 0
  for (let k = 0; k < count; k++) {
    sum += 1 / (k + 1) ** skew
    upTo[k] = sum
  }
  return () => {
    const wanted = random() * sum
    let low = 0
    let high = count - 1
    while (low < high) {
      const middle = (low + high) >> 1
      if (upTo[middle]! > wanted) high = middle
      else low = middle + 1
    }
    return low
  }
}
