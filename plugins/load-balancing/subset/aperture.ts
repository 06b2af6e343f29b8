import type { Target } from '../../upstreams/contract.ts'
import { murmur3 } from '../../upstreams/murmur3.ts'

export interface ApertureOptions {
  /** Targets that one gateway uses, at least. */
  readonly size: number
  /** Which of the gateways this is: its number from 0 on, with `of`, or a name. */
  readonly instance: number | string
  /** How many gateways there are. */
  readonly of?: number | undefined
}

/** The targets that one gateway uses. Never empty. */
export interface Aperture {
  readonly targets: readonly Target[]
  /** By index of `targets`: the part of its traffic that each gets from here, of what a whole one gets. */
  readonly parts: Float64Array
}

/** Its own, so that no two rings of the house have the same order. */
const RING_SEED = 0x51ed270b
/** Less of a target is none of it. */
const CRUMB = 1e-9

/**
 * The deterministic aperture of Twitter's Finagle: targets stand on a ring, each on an arc as long as its weight.
 * Gateway i of n begins at i / n and uses the arc from there on that is long enough for `size` targets, in whole nths:
 * so every point of the ring is in as many apertures, and every target gets as much for its weight. Of a target
 * that the aperture cuts through it uses that part.
 *
 * One that has a name begins at its hash. So do others, at random: how even that is, is in docs/load-balancing.md.
 *
 * Targets stand in the order of their ids' hashes, so that neighbours on the ring are none elsewhere; one that comes
 * or goes moves each end of an aperture by one target at most.
 *
 * O(N log N).
 */
export function apertureOf(
  eligible: readonly Target[],
  { size, instance, of = 0 }: ApertureOptions,
): Aperture {
  const wanted = size / eligible.length
  const length = of > 0 ? Math.ceil(wanted * of - CRUMB) / of : wanted
  if (length >= 1 - CRUMB) return { targets: eligible, parts: new Float64Array(eligible.length).fill(1) }
  const from = typeof instance === 'number' ? instance / of : murmur3(instance) / 2 ** 32

  const ring = eligible
    .map((target) => ({ target, at: murmur3(target.id, RING_SEED) }))
    .sort((a, b) => a.at - b.at || (a.target.id < b.target.id ? -1 : 1))
  const alike = ring.every(({ target }) => target.weight === 0)
  const sum = ring.reduce((total, { target }) => total + (alike ? 1 : target.weight), 0)
  const targets: Target[] = []
  const parts: number[] = []
  let end = 0
  for (const { target } of ring) {
    const begin = end
    const width = (alike ? 1 : target.weight) / sum
    end += width
    // An aperture that goes on beyond the end of the ring goes on at its beginning.
    const covered =
      overlap(begin, end, from, from + length) + overlap(begin, end, from - 1, from + length - 1)
    const part = width === 0 ? 0 : covered / width
    if (part < CRUMB) continue
    targets.push(target)
    parts.push(part > 1 - CRUMB ? 1 : part)
  }
  return { targets, parts: Float64Array.from(parts) }
}

function overlap(a: number, b: number, from: number, to: number): number {
  return Math.max(0, Math.min(b, to) - Math.max(a, from))
}
