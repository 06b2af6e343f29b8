/** An answer whose head is there, but not the end, when the time for gathering it is over. */
export interface Unfinished {
  /** Milliseconds since the target last sent something. */
  readonly quietMs: number
  /** What most answers take (ms): a hedge begins after as much. Undefined if that is not known. */
  readonly usualMs: number | undefined
  /** Milliseconds. */
  readonly gatherWithin: number
  /** How long the attempt beside it has been under way (ms); undefined if there is none. */
  readonly besideMs: number | undefined
  /** Milliseconds until a hedge is due; Infinity if none is. */
  readonly hedgeInMs: number
}

/** How often it is asked again while another attempt is under way. */
const AGAIN_MS = 20
/** Most answers may take longer than this, but nobody waits longer for one that may be better. */
const LONGEST_MS = 500

/**
 * How long (ms) an answer is held back that would be streamed now; 0 is not at all. Once a byte of it has reached the
 * client no other attempt can help. So one that has gone quiet waits for the hedge that is about to be made, or under
 * way: for each as long as most answers take, and `gatherWithin`, but not more than half a second. One that goes on coming is
 * what its client waits for.
 */
export function holdFor({ quietMs, usualMs, gatherWithin, besideMs, hedgeInMs }: Unfinished): number {
  if (quietMs < gatherWithin / 2 || usualMs === undefined) return 0
  const patience = Math.min(LONGEST_MS, usualMs) + gatherWithin
  if (besideMs !== undefined) return besideMs < patience ? Math.min(AGAIN_MS, patience - besideMs) : 0
  return hedgeInMs < patience ? hedgeInMs + AGAIN_MS : 0
}
