import type { Lease, Outcome } from '../upstreams/contract.ts'
import type { AttemptRecord } from '../upstreams/exchange.ts'

/** One attempt that the loop has made. */
export interface Running {
  readonly lease: Lease
  readonly record: AttemptRecord
  /** Monotonic milliseconds. */
  readonly startedAt: number
  /** Milliseconds to the response head; 0 until it is here. */
  readonly latencyMs: number
  /** A byte of the request may have reached the target. */
  readonly requestSent: boolean
  readonly over: boolean
  send(): void
  abandon(outcome?: Outcome): void
}
