import type { Lease, LeaseRequest, Outcome, Target } from '../upstreams/contract.ts'
import type { AttemptRecord, ExchangePlan } from '../upstreams/exchange.ts'
import type { Watched } from './deadlines.ts'
import { failureError, refusalError } from './errors.ts'
import { Facts } from './facts.ts'
import { holdFor } from './hold.ts'
import type { Answered } from './outcomes.ts'
import type { Route } from './route.ts'
import type { Running } from './running.ts'
import { Waiting } from './waiting.ts'

const NONE_TRIED: ReadonlySet<Target> = new Set()

/**
 * The attempts of one client request: which targets are tried, one after another or one beside another, and what is
 * done with each outcome. The first complete answer wins; nothing of any other reaches the client.
 */
export abstract class AttemptLoop implements Watched {
  readonly plan: ExchangePlan
  readonly attempts: AttemptRecord[] = []
  /** Watched: when a hedge is due. */
  deadline = Number.POSITIVE_INFINITY
  /** Watched. */
  place = -1
  protected readonly route: Route
  protected readonly startedAt = performance.now()
  protected closed = false
  protected readonly waiting = new Waiting()
  readonly #facts: Facts
  readonly #running: Running[] = []
  #placing: LeaseRequest
  #pause: NodeJS.Timeout | undefined
  /** Attempts that count for nothing. */
  #free = 0

  constructor(route: Route, plan: ExchangePlan, method: string, repeatable: boolean, tunnel = false) {
    this.route = route
    this.plan = plan
    this.#placing = { key: plan.key, binding: plan.binding, repeatable, tried: NONE_TRIED, tunnel }
    this.#facts = new Facts(plan, method, repeatable, (than) =>
      route.upstream.offers((target) => target !== than && !this.#placing.tried.has(target)),
    )
  }

  get upstreamMs(): number {
    return this.waiting.total
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
    // A body that is gone once it is sent makes any method one that cannot be repeated.
    const once = this.#placing.repeatable && !this.hedgeable()
    const lease = this.route.upstream.lease(once ? { ...this.#placing, repeatable: false } : this.#placing)
    if (typeof lease === 'string') throw refusalError(lease)
    return lease
  }

  protected launch(lease: Lease, kind: AttemptRecord['kind']): void {
    const attempt = this.attempt(lease, kind)
    this.#running.push(attempt)
    this.waiting.from(attempt.startedAt)
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
    if (wanted && verdict?.retry !== true) return 'keep'
    if (alone) {
      this.waiting.until(now)
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
    this.waiting.until(now)
    const verdict = this.route.failover()?.decide(this.#factsOf(attempt, now), outcome)
    if (verdict?.retry === true) {
      if (verdict.free === true) this.#free++
      this.#retry(attempt, verdict.delayMs)
      return
    }
    attempt.record.decision = 'give-up'
    this.unwatch()
    this.refuse(failureError(outcome.kind === 'failed' ? outcome.reason : 'reset', error))
  }

  /** How long (ms) an answer that is not whole yet is kept from the client: another attempt may have a whole one. */
  hold(attempt: Running & { readonly latencyMs: number }, quietMs: number): number {
    const beside = this.#running.findLast((one) => one !== attempt)
    const now = performance.now()
    return holdFor({
      quietMs,
      latencyMs: attempt.latencyMs,
      gatherWithin: this.route.config.gatherWithin,
      besideMs: beside === undefined ? undefined : now - beside.startedAt,
      hedgeInMs: this.deadline - now,
    })
  }

  /** Its answer is the client's; those still under way have lost. */
  protected won(winner: Running): void {
    winner.record.decision = 'commit'
    this.waiting.until(winner.record.endedAt ?? performance.now())
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
    this.waiting.until(performance.now())
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
    if (slow !== undefined && !this.closed)
      this.#hedge(
        slow,
        () => this.route.failover()?.mayHedge?.(this.#factsOf(slow, performance.now())) === true,
      )
  }

  /** The target has been taken out: whoever waits for it alone is helped elsewhere, whatever a hedge may cost. */
  rescue(target: Target): void {
    const [slow, another] = this.#running
    if (slow?.lease.target !== target || another !== undefined || this.closed) return
    this.deadline = Number.POSITIVE_INFINITY
    this.#hedge(slow, () => true)
  }

  #hedge(slow: Running, may: () => boolean): void {
    try {
      this.#tried(slow)
      this.#facts.target = slow.lease.target
      if (!this.#facts.untried() || !may()) return
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

  #tried(attempt: Running): void {
    const tried = new Set(this.#placing.tried).add(attempt.lease.target)
    this.#placing = { ...this.#placing, tried }
  }

  #factsOf(attempt: Running, now: number): Facts {
    const facts = this.#facts
    facts.target = attempt.lease.target
    facts.made = this.attempts.length
    facts.number = facts.made - this.#free
    facts.replayable = this.replayable()
    facts.elapsedMs = now - this.startedAt
    return facts
  }
}
