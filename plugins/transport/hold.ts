/** An answer whose head is there, but not the end, when the time for gathering it is over. */
export interface Unfinished {
  /** Milliseconds since the target last sent something. */
  readonly quietMs: number
  /** Milliseconds that it took to send the head. */
  readonly latencyMs: number
  /** Milliseconds. */
  readonly gatherWithin: number
  /** How long the attempt beside it has been under way (ms); undefined if there is none. */
  readonly besideMs: number | undefined
  /** Milliseconds until a hedge is due; Infinity if none is. */
  readonly hedgeInMs: number
}

/** How often it is asked again while another attempt is under way. */
const AGAIN_MS = 20

/**
 * How long (ms) an answer is held back that would be streamed now; 0 is not at all. Once a byte of it has reached the
 * client no other attempt can help. So one that has gone quiet waits for the hedge that is under way, or about to be:
 * as long as the head took, twice, and `gatherWithin`. One that goes on coming is what its client waits for.
 */
export function holdFor({ quietMs, latencyMs, gatherWithin, besideMs, hedgeInMs }: Unfinished): number {
  if (quietMs < gatherWithin / 2) return 0
  const patience = 2 * latencyMs + gatherWithin
  if (besideMs !== undefined) return besideMs < patience ? Math.min(AGAIN_MS, patience - besideMs) : 0
  return hedgeInMs < patience ? hedgeInMs + AGAIN_MS : 0
}
