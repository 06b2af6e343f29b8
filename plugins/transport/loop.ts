import type { Lease, LeaseRequest, Outcome, Target } from '../upstreams/contract.ts'
import type { AttemptRecord, ExchangePlan } from '../upstreams/exchange.ts'
import type { Attempt as Facts } from '../upstreams/failover-policy.ts'
import type { Watched } from './deadlines.ts'
import { failureError, refusalError } from './errors.ts'
import type { Answered } from './outcomes.ts'
import type { Route } from './route.ts'

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

const NONE_TRIED: ReadonlySet<Target> = new Set()

/**
 * The attempts of one client request: which targets are tried, one after another or one beside another, and what is
 * done with each outcome. The first complete answer wins; nothing of any other reaches the client.
 */
export abstract class AttemptLoop implements Watched {
  readonly plan: ExchangePlan
  readonly attempts: AttemptRecord[] = []
  upstreamMs = 0
  /** Watched: when a hedge is due. */
  deadline = Number.POSITIVE_INFINITY
  /** Watched. */
  place = -1
  protected readonly route: Route
  protected readonly startedAt = performance.now()
  protected closed = false
  readonly #facts: { -readonly [K in keyof Facts]: Facts[K] }
  readonly #running: Running[] = []
  #placing: LeaseRequest
  /** Since when at least one attempt waits. */
  #busySince = this.startedAt
  #pause: NodeJS.Timeout | undefined

  constructor(route: Route, plan: ExchangePlan, method: string, repeatable: boolean) {
    this.route = route
    this.plan = plan
    this.#placing = { key: plan.key, binding: plan.binding, repeatable, tried: NONE_TRIED }
    this.#facts = {
      upstream: plan.upstream,
      route: plan.route,
      target: undefined as unknown as Target,
      number: 0,
      method,
      repeatable,
      replayable: true,
      elapsedMs: 0,
      bound: false,
      untried: () =>
        this.route.upstream
          .eligible()
          .some((target) => target !== this.#facts.target && !this.#placing.tried.has(target)),
    }
  }

  /** Makes an attempt; it is sent by the loop. */
  protected abstract attempt(lease: Lease, kind: AttemptRecord['kind']): Running
  /** The body can be sent once more: there is none, it is held whole, or none of it is gone. */
  protected abstract replayable(): boolean
  /** Two attempts can send it at the same time. */
  protected abstract hedgeable(): boolean
  /** No attempt is left: the client is told. */
  protected abstract refuse(error: Error): void

  /** Takes a target for the first attempt; throws a `GatewayError` if there is none. */
  protected lease(): Lease {
    const lease = this.route.upstream.lease(this.#placing)
    if (typeof lease === 'string') throw refusalError(lease)
    return lease
  }

  protected launch(lease: Lease, kind: AttemptRecord['kind']): void {
    const attempt = this.attempt(lease, kind)
    if (this.#running.push(attempt) === 1) this.#busySince = attempt.startedAt
    this.attempts.push(attempt.record)
    if (this.hedgeable()) {
      const after = this.route.failover()?.hedgeAfterMs?.(this.#factsOf(attempt, attempt.startedAt))
      if (after !== undefined) {
        this.deadline = attempt.startedAt + after
        if (this.place === -1) this.route.hedges.watch(this)
      }
    }
    attempt.send()
  }

  /** The response head of an attempt is here: is it wanted? */
  headed(attempt: Running, outcome: Answered): 'keep' | 'discard' {
    const now = attempt.startedAt + outcome.latencyMs
    const alone = this.#running.length === 1
    // An error of the server's does not win while another may do better.
    const wanted = alone || outcome.status < 500
    const verdict = wanted ? this.route.failover()?.decide(this.#factsOf(attempt, now), outcome) : undefined
    if (wanted && verdict?.retry !== true) {
      this.#count(now)
      return 'keep'
    }
    if (alone) {
      this.#count(now)
      this.#retry(attempt, verdict?.retry === true ? verdict.delayMs : 0)
    } else {
      this.#wait(attempt)
    }
    return 'discard'
  }

  lost(attempt: Running, error: unknown, outcome: Outcome): void {
    this.#drop(attempt)
    if (this.closed) return
    if (this.#running.length > 0) {
      this.#wait(attempt)
      return
    }
    const now = performance.now()
    this.#count(now)
    const verdict = this.route.failover()?.decide(this.#factsOf(attempt, now), outcome)
    if (verdict?.retry === true) {
      this.#retry(attempt, verdict.delayMs)
      return
    }
    attempt.record.decision = 'give-up'
    this.unwatch()
    this.refuse(failureError(outcome.kind === 'failed' ? outcome.reason : 'reset', error))
  }

  /** Its answer is the client's; those still under way have lost. */
  protected won(winner: Running): void {
    winner.record.decision = 'commit'
    this.unwatch()
    if (this.#running.length > 1) {
      const now = performance.now()
      const at = this.#running.indexOf(winner)
      for (const [i, loser] of [...this.#running].entries()) {
        if (loser === winner) continue
        this.#abandon(
          loser,
          i < at ? { kind: 'abandoned', overtakenAfterMs: now - loser.startedAt } : undefined,
        )
      }
    }
    this.#running.length = 0
  }

  /** Ends all attempts; nothing is told to the client. */
  protected end(outcomeOf?: (attempt: Running) => Outcome): void {
    clearTimeout(this.#pause)
    this.unwatch()
    for (const attempt of this.#running.splice(0)) {
      if (!attempt.over) this.#abandon(attempt, outcomeOf?.(attempt))
    }
  }

  protected unwatch(): void {
    this.deadline = Number.POSITIVE_INFINITY
    if (this.place !== -1) this.route.hedges.unwatch(this)
  }

  /** Watched: it is time for a hedge. */
  expired(): void {
    this.deadline = Number.POSITIVE_INFINITY
    const slow = this.#running.at(-1)
    if (slow === undefined || this.closed) return
    try {
      this.#tried(slow)
      const failover = this.route.failover()
      if (!this.#facts.untried() || failover?.mayHedge?.(this.#factsOf(slow, performance.now())) !== true) {
        return
      }
      const lease = this.route.upstream.lease({ ...this.#placing, elsewhere: true })
      if (typeof lease !== 'string') this.launch(lease, 'hedge')
    } catch (error) {
      // A policy threw: the attempt that is under way goes on.
      this.route.log.error({ err: error }, 'a hedge could not be placed')
    }
  }

  #retry(attempt: Running, delayMs: number): void {
    attempt.record.decision = 'retry'
    this.#drop(attempt)
    this.#tried(attempt)
    const again = (): void => {
      if (this.closed) return
      try {
        const lease = this.route.upstream.lease(this.#placing)
        if (typeof lease === 'string') this.refuse(refusalError(lease))
        else this.launch(lease, 'retry')
      } catch (error) {
        // A policy threw: that is one request's misfortune, not the process's.
        this.refuse(error as Error)
      }
    }
    if (delayMs === 0) setImmediate(again)
    else this.#pause = setTimeout(again, delayMs)
  }

  /** It has failed, but another is under way. */
  #wait(attempt: Running): void {
    attempt.record.decision = 'wait'
    this.#drop(attempt)
    this.#tried(attempt)
  }

  #abandon(attempt: Running, outcome?: Outcome): void {
    attempt.record.decision = 'abandon'
    attempt.abandon(outcome)
  }

  #drop(attempt: Running): void {
    const at = this.#running.indexOf(attempt)
    if (at !== -1) this.#running.splice(at, 1)
  }

  /** Time in which several wait counts once. */
  #count(now: number): void {
    this.upstreamMs += Math.max(0, now - this.#busySince)
    this.#busySince = now
  }

  #tried(attempt: Running): void {
    const tried = new Set(this.#placing.tried).add(attempt.lease.target)
    this.#placing = { ...this.#placing, tried }
  }

  /** One object for all of an exchange's questions: a policy that wants to keep something copies it. */
  #factsOf(attempt: Running, now: number): Facts {
    const facts = this.#facts
    facts.target = attempt.lease.target
    facts.bound = this.plan.binding?.target === facts.target
    facts.number = this.attempts.length
    facts.replayable = this.replayable()
    facts.elapsedMs = now - this.startedAt
    return facts
  }
}
