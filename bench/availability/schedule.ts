import type { Kind } from './answer.ts'

/** A request that is to be sent, `at` ms after the load began, whatever became of the ones before it. */
export interface Arrival {
  at: number
  kind: Kind
}

const shareOfOrders = 0.2

/** Numbers in [0, 1), the same ones for the same seed (mulberry32). */
export function dice(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Poisson arrivals without end: 20 % POSTs, the GETs small and chunked in turn. */
export function* arrivals(perSecond: number, random: () => number): Generator<Arrival, never> {
  let at = 0
  let gets = 0
  while (true) {
    at += (-Math.log(1 - random()) * 1000) / perSecond
    if (random() < shareOfOrders) yield { at, kind: 'orders' }
    else yield { at, kind: gets++ % 2 === 0 ? 'small' : 'chunked' }
  }
}
