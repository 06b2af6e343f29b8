/** The header `traceparent` of W3C Trace Context, level 2. */
import { withoutBlanks } from './blanks.ts'

/** What it says. */
export interface Traceparent {
  /** 32 digits. */
  readonly traceId: string
  /** 16 digits: the caller's span. */
  readonly parentId: string
  /** `SAMPLED` and `RANDOM`; other bits mean nothing yet and are left out. */
  readonly flags: number
}

/** The caller may have recorded its part of the trace. */
export const SAMPLED = 1
/** The last 7 bytes of the trace's id are random (level 2). */
export const RANDOM = 2

const FORM = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/
const NO_TRACE = '0'.repeat(32)
const NO_SPAN = '0'.repeat(16)

/**
 * Versions that are not known yet are read by their beginning, as the specification has it.
 * @param value several headers come joined by commas, and are then none
 * @returns undefined if it is not valid: a new trace begins
 */
export function parseTraceparent(value: string): Traceparent | undefined {
  const [, version, traceId, parentId, flags, more] = FORM.exec(withoutBlanks(value)) ?? []
  if (traceId === undefined || parentId === undefined || flags === undefined) return undefined
  if (version === 'ff' || (version === '00' && more !== undefined)) return undefined
  if (traceId === NO_TRACE || parentId === NO_SPAN) return undefined
  return { traceId, parentId, flags: Number.parseInt(flags, 16) & (SAMPLED | RANDOM) }
}

/** In version 00, whatever came. */
export function formatTraceparent(traceId: string, spanId: string, flags: number): string {
  return `00-${traceId}-${spanId}-0${flags}`
}
