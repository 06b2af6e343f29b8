import type { Outcome, Target } from '../upstreams/contract.ts'
import type { AttemptRecord } from '../upstreams/exchange.ts'
import { failureReason } from './errors.ts'
import { retryAfter } from './retry-after.ts'

export type Answered = Outcome & { kind: 'answered' }
export type Failed = Outcome & { kind: 'failed' }

export const ABANDONED: Outcome = { kind: 'abandoned' }

export function answered(
  status: number,
  latencyMs: number,
  headers: Record<string, string | string[] | undefined>,
): Answered {
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
