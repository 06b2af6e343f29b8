import type { Outcome, Target } from '../upstreams/contract.ts'
import { ABANDONED } from '../upstreams/evidence.ts'
import type { AttemptRecord } from '../upstreams/exchange.ts'
import { failureReason } from './errors.ts'
import { retryAfter } from './retry-after.ts'

export type Answered = Outcome & { kind: 'answered' }
export type Failed = Outcome & { kind: 'failed' }

/**
 * What errors of gRPC are in HTTP, which says 200 to all of them: Envoy's table, as far as it tells of the server and
 * not of the request. Only answers that are nothing but trailers have them in their head; others have begun well.
 */
const GRPC_STATUS: Readonly<Record<string, number>> = {
  // unknown, deadline exceeded, resource exhausted, internal, unavailable, data loss
  2: 500,
  4: 504,
  8: 429,
  13: 500,
  14: 503,
  15: 500,
}

/** What an answer says of its target. */
export function answered(
  status: number,
  latencyMs: number,
  headers: Record<string, string | string[] | undefined>,
): Answered {
  const grpc = headers['grpc-status']
  if (typeof grpc === 'string') status = GRPC_STATUS[grpc] ?? status
  const report = headers['endpoint-load-metrics']
  const refused = status === 503 || status === 429
  if (report === undefined && !refused) return { kind: 'answered', status, latencyMs }
  const retryAfterMs = refused ? retryAfter(headers['retry-after'], Date.now) : undefined
  return {
    kind: 'answered',
    status,
    latencyMs,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(typeof report === 'string' ? { loadReport: report } : {}),
  }
}

export function failed(error: unknown, requestSent: boolean, latencyMs: number): Failed {
  return { kind: 'failed', reason: failureReason(error, requestSent), requestSent, latencyMs }
}

/**
 * Of an attempt that is given up: silence counts from when it was sent, or from the last piece of the request that the
 * target took.
 * @param waits for a sign of life
 */
export function givenUp(
  waits: boolean,
  { startedAt, sentAt = startedAt }: AttemptRecord,
  upload?: { takenAt(now: number): number },
): Outcome {
  if (!waits) return ABANDONED
  const now = performance.now()
  return { kind: 'abandoned', silentMs: now - Math.max(sentAt, upload?.takenAt(now) ?? 0) }
}

/** Of an attempt that begins. */
export function attemptRecord(target: Target, kind: AttemptRecord['kind'], startedAt: number): AttemptRecord {
  return {
    target,
    kind,
    outcome: undefined,
    decision: undefined,
    startedAt,
    sentAt: undefined,
    endedAt: undefined,
    spanId: undefined,
  }
}
