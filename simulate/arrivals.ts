import { exponential } from './distribution.ts'
import type { Arrivals } from './fleet.ts'

/** How far above its mean the rate is at `now`, as a factor. */
function rateAt(shape: NonNullable<Arrivals['shape']>, now: number): number {
  switch (shape.kind) {
    case 'poisson':
      return 1
    case 'bursts': {
      const { factor, everyMs, forMs } = shape
      const between = everyMs / (everyMs + (factor - 1) * forMs)
      return now % everyMs < forMs ? factor * between : between
    }
    case 'sine':
      return 1 + shape.amplitude * Math.sin((2 * Math.PI * now) / shape.periodMs)
  }
}

function highest(shape: NonNullable<Arrivals['shape']>): number {
  if (shape.kind === 'sine') return 1 + shape.amplitude
  return shape.kind === 'bursts' ? Math.max(rateAt(shape, 0), rateAt(shape, shape.forMs)) : 1
}

/**
 * When the next request comes: a Poisson process whose rate may change with time, by thinning (Lewis and Shedler
 * 1979): at the highest rate, and each kept with the odds of the rate at its time.
 *
 * @param rate requests a millisecond, in the mean
 */
export function nextArrival(
  { shape = { kind: 'poisson' } }: Arrivals,
  rate: number,
  random: () => number,
): (now: number) => number {
  const most = highest(shape)
  const gap = 1 / (rate * most)
  if (shape.kind === 'poisson') return (now) => now + exponential(gap, random)
  return (now) => {
    let time = now
    do time += exponential(gap, random)
    while (random() * most >= rateAt(shape, time))
    return time
  }
}
