import type { Outcome } from '../upstreams/contract.ts'
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
  if (status !== 503 && status !== 429) return { kind: 'answered', status, latencyMs }
  const retryAfterMs = retryAfter(headers['retry-after'], Date.now)
  return { kind: 'answered', status, latencyMs, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) }
}

export function failed(error: unknown, requestSent: boolean, latencyMs: number): Failed {
  return { kind: 'failed', reason: failureReason(error, requestSent), requestSent, latencyMs }
}
