import type { Outcome, PolicyContext } from '../upstreams/contract.ts'
import { RollingCount } from '../upstreams/rolling-count.ts'
import { type Verdict, verdictOn } from './verdict.ts'

export interface BreakerOptions {
  /** Share of failures in the window at which it opens. */
  readonly errorRatio: number
  /** Fewest samples in the window that a share is taken of. */
  readonly minimum: number
  /** Milliseconds. */
  readonly window: number
  /** Failures in a row at which it opens; 0 is never. */
  readonly consecutive: number
  /** Milliseconds; doubled each time that it opens again. */
  readonly openFor: number
  /** Milliseconds; before jitter. */
  readonly maxOpenFor: number
  /** Probes at once. */
  readonly probes: number
  /** Probes that have to succeed. */
  readonly successes: number
}

export type BreakerState = 'closed' | 'open' | 'half-open'

/** Hears of each change of state once, after it, with the reason in words. */
export type BreakerListener = (breaker: Breaker, why: string) => void

/** So that the breakers of many gateways do not all try again in the same moment. */
const JITTER = 0.2
/** A probe that takes longer leaves its place to another one. */
const LONG_PROBE_MS = 1000

/**
 * A circuit breaker (Nygard, "Release It!"): closed, it counts; open, nothing passes; half-open, a few probes pass
 * and decide. An outcome counts only in the state in which its attempt began: the time-outs of an outage that is over
 * come in long after it, and would open the breaker once more. What began since a half-open phase did is a probe of
 * it: in the open phase before it nothing could begin.
 */
export class Breaker {
  /** Monotonic milliseconds: when an open one becomes half-open. */
  dueAt = Number.POSITIVE_INFINITY
  readonly #options: BreakerOptions
  readonly #context: PolicyContext
  readonly #told: BreakerListener
  readonly #attempts: RollingCount
  readonly #failures: RollingCount
  #state: BreakerState = 'closed'
  #since = Number.NEGATIVE_INFINITY
  #failuresInRow = 0
  /** How often `openFor` is doubled. */
  #reopened = 0
  /** Probes of this half-open phase that are under way. */
  #probing = 0
  /** Those that have succeeded. */
  #succeeded = 0
  /** Monotonic milliseconds: when the last of them was admitted, or the phase began. */
  #probedAt = 0

  constructor(options: BreakerOptions, context: PolicyContext, told: BreakerListener) {
    this.#options = options
    this.#context = context
    this.#told = told
    this.#attempts = new RollingCount(options.window, context.now())
    this.#failures = new RollingCount(options.window, context.now())
  }

  get state(): BreakerState {
    return this.#state
  }

  /** Whether an attempt may be made. One that may has to be settled, whatever becomes of it. */
  admit(): boolean {
    if (this.#state === 'closed') return true
    if (this.#state === 'open') return false
    const now = this.#context.now()
    if (this.#probing < this.#options.probes) this.#probing++
    // A long answer, or a client that is slow to take it, must not keep everybody else waiting for the verdict.
    else if (now - this.#probedAt < LONG_PROBE_MS) return false
    this.#probedAt = now
    return true
  }

  /** Half-open, and nothing has come that could be risked: then something else has to be. */
  get starved(): boolean {
    return this.#state === 'half-open' && this.#context.now() - this.#probedAt >= this.#options.openFor
  }

  /** @param startedAt when the attempt was admitted, in monotonic milliseconds */
  settle(outcome: Outcome, startedAt: number): void {
    if (this.#state === 'open' || startedAt < this.#since) return
    const verdict = verdictOn(outcome)
    if (this.#state === 'half-open') this.#probed(verdict)
    else if (verdict !== 'neither') this.#count(verdict === 'failure')
  }

  /** Nothing else is left to try: an open one becomes half-open no later than then (monotonic milliseconds). */
  hasten(time: number): void {
    if (this.#state === 'open' && time < this.dueAt) this.dueAt = time
  }

  /** Somebody else has seen that it works again: an open one becomes half-open before its time. */
  wakeEarly(): void {
    if (this.#state !== 'open') return
    this.dueAt = this.#context.now()
    this.wake()
  }

  /** Call it when `dueAt` has come: an open breaker becomes half-open. */
  wake(): void {
    const now = this.#context.now()
    if (this.#state !== 'open' || now < this.dueAt) return
    this.dueAt = Number.POSITIVE_INFINITY
    this.#probing = 0
    this.#succeeded = 0
    this.#probedAt = now
    const openFor = now - this.#since
    this.#enter('half-open', now, `open for ${(openFor / 1000).toFixed(1)} s`)
  }

  #count(failure: boolean): void {
    const now = this.#context.now()
    const { minimum, errorRatio, consecutive } = this.#options
    this.#attempts.add(now)
    this.#failuresInRow = failure ? this.#failuresInRow + 1 : 0
    if (!failure) return
    this.#failures.add(now)
    const total = this.#attempts.sum(now)
    const failed = this.#failures.sum(now)
    if (consecutive > 0 && this.#failuresInRow >= consecutive) {
      this.#openAgainAfterLull(now, `${this.#failuresInRow} failures in a row`)
    } else if (total >= minimum && failed >= errorRatio * total) {
      this.#openAgainAfterLull(now, `${failed} of ${total} failed`)
    }
  }

  #probed(verdict: Verdict): void {
    this.#probing = Math.max(0, this.#probing - 1)
    if (verdict === 'neither') return
    const now = this.#context.now()
    if (verdict === 'failure') {
      this.#reopened++
      this.#open(now, 'a probe failed')
    } else if (++this.#succeeded >= this.#options.successes) {
      this.#attempts.clear()
      this.#failures.clear()
      this.#failuresInRow = 0
      this.#enter('closed', now, `${this.#succeeded} probe${this.#succeeded === 1 ? '' : 's'} succeeded`)
    }
  }

  /** Opens a closed one: for longer than last time, unless it has held for a window since. */
  #openAgainAfterLull(now: number, why: string): void {
    this.#reopened = now - this.#since >= this.#options.window ? 0 : this.#reopened + 1
    this.#open(now, why)
  }

  #open(now: number, why: string): void {
    const { openFor, maxOpenFor } = this.#options
    const pause = Math.min(maxOpenFor, openFor * 2 ** this.#reopened)
    this.dueAt = now + pause * (1 - JITTER + 2 * JITTER * this.#context.random())
    this.#enter('open', now, why)
  }

  #enter(state: BreakerState, now: number, why: string): void {
    this.#state = state
    this.#since = now
    this.#told(this, why)
  }
}
