/** How a tier is divided among policies: zones, a subset. Written against this, and handed to `registry.balance`. */
import type { Target } from './contract.ts'

/**
 * How a target stands in its tier. `well`: it may be picked. `doubtful`: it is believed to fail, and may be picked since
 * there is panic. `missing`: it may not be picked, and is missed. `absent`: it is missed by nobody: it is told to go,
 * was not checked yet, or has no weight while others have.
 */
export type Standing = 'well' | 'doubtful' | 'missing' | 'absent'

/** Targets of a tier that one policy picks from as if there were no others. */
export interface Part {
  /** Its own within the tier, and the same each time: the part keeps its policy, and that what it has learnt. */
  readonly name: string
  /** Those of them that may not be picked are left out for it. */
  readonly targets: readonly Target[]
  /** Of the tier's traffic, relative to the other parts. 0: used by what finds no place in them. */
  readonly share: number
  /** Targets that get less of the part's traffic than whole ones do: how much of that, 0..1. */
  readonly slices?: ReadonlyMap<Target, number>
}

/**
 * Divides a tier. Asked when a snapshot is built, with all targets of the tier, whatever their standing. Who is in no
 * part is used by what finds no place in them. Where no part with a share has a target that may be picked, the tier is
 * not divided.
 */
export type Division = (targets: readonly Target[]) => readonly Part[]
