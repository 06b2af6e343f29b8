import type { RequestEnd } from '../config/request-end.ts'
import type { LogOptions } from './line.ts'

/** What is done about a request's line. */
export interface Choice {
  readonly write: boolean
  readonly slow: boolean
  /** The share of its kind that is written, where that is less than all. */
  readonly sample: number | undefined
}

/**
 * Only what ended well and in time is a matter of chance.
 * @param random uniform in [0, 1)
 */
export function choose(
  { status, aborted, totalMs }: Pick<RequestEnd, 'status' | 'aborted' | 'totalMs'>,
  { sample, slowerThan }: Pick<LogOptions, 'sample' | 'slowerThan'>,
  random: () => number,
): Choice {
  // A tunnel takes as long as it is wanted.
  const slow = slowerThan !== undefined && totalMs > slowerThan && status !== 101
  if (sample >= 1 || slow || aborted || status >= 400 || status === 0) {
    return { write: true, slow, sample: undefined }
  }
  return { write: random() < sample, slow, sample }
}
