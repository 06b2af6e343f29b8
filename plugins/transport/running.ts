import type { Lease, Outcome } from '../upstreams/contract.ts'
import type { AttemptRecord } from '../upstreams/exchange.ts'

/** One attempt that the loop has made. */
export interface Running {
  readonly lease: Lease
  readonly record: AttemptRecord
  /** Monotonic milliseconds. */
  readonly startedAt: number
  /** A byte of the request may have reached the target. */
  readonly requestSent: boolean
  readonly over: boolean
  send(): void
  abandon(outcome?: Outcome): void
}
