import type { Target } from '../../upstreams/contract.ts'
import { murmur3 } from '../../upstreams/murmur3.ts'

export interface ApertureOptions {
  /** Targets that one gateway uses, at least, while all are well. */
  readonly size: number
  /** Which of the gateways this is: its number from 0 on, with `of`, or a name. */
  readonly instance: number | string
  /** How many gateways there are. */
  readonly of?: number | undefined
}

/** The targets that one gateway uses. */
export interface Aperture {
  readonly targets: readonly Target[]
  /** Those that it uses in part: what each gets from here of what a whole one gets. */
  readonly slices: ReadonlyMap<Target, number>
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
 * How many nths are long enough depends on the targets that there are, and not on who is well: else a single one
 * that goes down could make it one nth more, and the subset twice as large. So a subset shrinks with its targets.
 *
 * One that has a name begins at its hash. So do others, at random: how even that is, is in docs/load-balancing.md.
 * Here no two depend on each other, and the arc is long enough for `size` of those that are well.
 *
 * Targets stand in the order of their ids' hashes, so that neighbours on the ring are none elsewhere. Where all weigh
 * the same, one that goes down or comes back moves each end of an aperture by one target at most.
 *
 * Only those that are well have an arc. Those that are used in panic go with the aperture in whose arc they stand, and
 * take nothing of it; with nobody well they have the ring.
 *
 * O(N log N).
 *
 * @param known all targets, whatever their standing
 */
export function apertureOf(known: readonly Target[], { size, instance, of = 0 }: ApertureOptions): Aperture {
  const usable = known.filter(({ standing }) => standing === 'well' || standing === 'doubtful')
  const well = usable.filter(({ standing }) => standing === 'well')
  const used = new Set(well.length > 0 ? well : usable)
  const weighing = known.filter(({ weight }) => weight > 0).length || known.length
  const length = of > 0 ? Math.ceil((size / weighing) * of - CRUMB) / of : size / used.size
  if (length >= 1 - CRUMB) return { targets: usable, slices: new Map() }
  const from = typeof instance === 'number' ? instance / of : murmur3(instance) / 2 ** 32

  const ring = usable
    .map((target) => ({ target, at: murmur3(target.id, RING_SEED) }))
    .sort((a, b) => a.at - b.at || (a.target.id < b.target.id ? -1 : 1))
  const weights = [...used].reduce((total, { weight }) => total + weight, 0)
  const sum = weights > 0 ? weights : used.size
  const targets: Target[] = []
  const slices = new Map<Target, number>()
  let end = 0
  for (const { target } of ring) {
    const begin = end
    if (!used.has(target)) {
      if ((begin - from + 1 + CRUMB) % 1 < length) targets.push(target)
      continue
    }
    const width = (weights > 0 ? target.weight : 1) / sum
    end += width
    // An aperture that goes on beyond the end of the ring goes on at its beginning.
    const covered =
      overlap(begin, end, from, from + length) + overlap(begin, end, from - 1, from + length - 1)
    const slice = width === 0 ? 0 : covered / width
    if (slice < CRUMB) continue
    targets.push(target)
    if (slice <= 1 - CRUMB) slices.set(target, slice)
  }
  return { targets, slices }
}

function overlap(a: number, b: number, from: number, to: number): number {
  return Math.max(0, Math.min(b, to) - Math.max(a, from))
}
