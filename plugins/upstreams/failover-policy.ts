/** How an exchange goes on after an attempt: what a failover policy is told, and what it answers. */
import type { Outcome, Target } from './contract.ts'

/** Facts about an attempt that a failover policy decides from. They hold during the call: what is kept is copied. */
export interface Attempt {
  readonly upstream: string
  /** Name of the route. */
  readonly route: string
  readonly target: Target
  /** 1 for the first attempt of the exchange; those that were followed by a free retry do not count. */
  readonly number: number
  /** The same with those. */
  readonly made: number
  readonly method: string
  /** The method is idempotent (RFC 9110, 9.2.2) or the route says that repeating does no harm. */
  readonly repeatable: boolean
  /** The body is held whole or there is none; false once a streamed byte is gone. */
  readonly replayable: boolean
  /** Milliseconds since the exchange began. */
  readonly elapsedMs: number
  /**
   * Its answer is less likely than others to come: its target has given no sign of life since the attempt began and is
   * not trusted (`HealthSource.trusts`), for its silence or for what was before; or the head of the answer is here, and
   * not the rest.
   */
  readonly stalled: boolean
  /** It belongs to a session, at its target or at the one that stands in for it: nobody else knows what is there. */
  readonly bound: boolean
  /** Whether a target that could be used was not tried yet. */
  untried(): boolean
}

/** The verdict that there is another attempt. */
export interface Retry {
  readonly retry: true
  readonly delayMs: number
  /** The one before counts for nothing: the upstream has not seen it. Default false. */
  readonly free?: boolean
}

/** Whether and when another attempt is made. Without one an exchange has a single attempt. */
export interface FailoverPolicy {
  /** Asked of every attempt that was answered, and of one that failed with no other under way. */
  decide(attempt: Attempt, outcome: Outcome): { retry: false } | Retry
  /**
   * Asked when an attempt begins, and again from time to time while it is waited for: after how many milliseconds without
   * a complete answer, from its beginning, another one may begin beside it. Undefined is never.
   */
  hedgeAfterMs?(attempt: Attempt): number | undefined
  /** Asked when that time has come and there is a target not tried yet; after a no it is asked again later. */
  mayHedge?(attempt: Attempt): boolean
}
