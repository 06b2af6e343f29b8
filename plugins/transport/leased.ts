import type { Lease, Outcome } from '../upstreams/contract.ts'
import type { AttemptRecord } from '../upstreams/exchange.ts'
import { attemptRecord } from './outcomes.ts'

/** One try at one target, as far as others keep it: the registry by its lease, logs and metrics by its record. */
export abstract class Leased {
  readonly lease: Lease
  readonly record: AttemptRecord
  readonly startedAt = performance.now()
  /** Milliseconds from the lease to the response headers or the failure. */
  latencyMs = 0

  constructor(lease: Lease, kind: AttemptRecord['kind']) {
    this.lease = lease
    this.record = attemptRecord(lease.target, kind, this.startedAt)
  }

  /** What it came to; only the first word on it counts. */
  protected settle(outcome: Outcome): void {
    this.record.outcome ??= outcome
    this.lease.settle(outcome)
  }

  /** It is over, and with it the target's part. */
  protected leave(outcome: Outcome): void {
    this.record.endedAt = performance.now()
    this.settle(outcome)
    this.lease.release()
  }
}
