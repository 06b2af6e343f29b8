import type { Lease, Outcome, Target } from '../upstreams/contract.ts'
import type { AttemptRecord, ExchangePlan } from '../upstreams/exchange.ts'
import { nextAttempt } from './advice.ts'
import { failureError, refusalError } from './errors.ts'
import { Facts } from './facts.ts'
import { Hedge } from './hedge.ts'
import { holdFor } from './hold.ts'
import type { Answered } from './outcomes.ts'
import { Placing } from './placing.ts'
import type { Route } from './route.ts'
import type { Running } from './running.ts'
import { Waiting } from './waiting.ts'

/**
 * The attempts of one client request: which targets are tried, one after another or one beside another, and what is
 * done with each outcome. The first complete answer wins; nothing of any other reaches the client.
 */
export abstract class AttemptLoop {
  readonly plan: ExchangePlan
  readonly attempts: AttemptRecord[] = []
  protected readonly route: Route
  protected readonly startedAt = performance.now()
  protected closed = false
  protected readonly waiting = new Waiting()
  /** Undefined until an attempt is made that another one can be begun beside. */
  protected hedge: Hedge | undefined
  readonly #facts: Facts
  readonly running: Running[] = []
  readonly #placing: Placing
  #pause: NodeJS.Timeout | undefined
  /** No further attempt is made. */
  #ended = false
  /** Attempts that count for nothing. */
  #free = 0

  constructor(route: Route, plan: ExchangePlan, method: string, repeatable: boolean, tunnel = false) {
    this.route = route
    this.plan = plan
    this.#placing = new Placing(route.upstream, plan, repeatable, tunnel)
    const others = (than: Target): boolean => this.#placing.othersThan(than)
    this.#facts = new Facts(route.upstream, plan, method, repeatable, others)
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

  /** An answer that is not wanted as things stand: whether it is kept, in case that no other does better. */
  protected spares(_attempt: Running): boolean {
    return false
  }

  /** Nothing better will come: the client gets what was kept, if anything was. */
  protected fallsBack(): boolean {
    return false
  }

  /** Takes a target for the first attempt; throws a `GatewayError` if there is none. */
  protected lease(): Lease {
    const lease = this.#placing.first(!this.hedgeable())
    if (typeof lease === 'string') throw refusalError(lease)
    return lease
  }

  launch(lease: Lease, kind: AttemptRecord['kind']): void {
    const attempt = this.#made(lease, kind)
    this.running.push(attempt)
    this.waiting.from(attempt.startedAt)
    this.attempts.push(attempt.record)
    if (this.hedgeable()) {
      this.hedge ??= new Hedge(this.route, this.#placing, this)
      this.hedge.begun(attempt)
    }
    attempt.send()
  }

  #made(lease: Lease, kind: AttemptRecord['kind']): Running {
    try {
      return this.attempt(lease, kind)
    } catch (error) {
      // A plugin's hook or edit threw: the target is busy with nothing.
      lease.release()
      throw error
    }
  }

  /** The response head of an attempt is here: is it wanted? */
  headed(attempt: Running, outcome: Answered): 'keep' | 'discard' {
    const now = attempt.startedAt + outcome.latencyMs
    const alone = this.running.length === 1
    // An error of the server's does not win while another may do better.
    const wanted = alone || outcome.status < 500
    const next = wanted ? nextAttempt(this.route, this.factsOf(attempt, now), outcome) : undefined
    if (wanted && next === undefined) return 'keep'
    attempt.record.outcome ??= outcome
    attempt.lease.settle(outcome)
    if (alone) {
      this.waiting.until(now)
      this.#retry(attempt, next?.delayMs ?? 0)
    } else {
      this.#wait(attempt)
    }
    return this.spares(attempt) ? 'keep' : 'discard'
  }

  lost(attempt: Running, error: unknown, outcome: Outcome): void {
    this.#drop(attempt)
    if (this.closed) return
    if (this.running.length > 0) {
      this.#wait(attempt)
      return
    }
    const now = performance.now()
    this.waiting.until(now)
    const next = nextAttempt(this.route, this.factsOf(attempt, now), outcome)
    if (next !== undefined) {
      if (next.free === true) this.#free++
      this.#retry(attempt, next.delayMs)
      return
    }
    attempt.record.decision = 'give-up'
    this.hedge?.end()
    if (!this.fallsBack())
      this.refuse(failureError(outcome.kind === 'failed' ? outcome.reason : 'reset', error))
  }

  /** How long (ms) an answer that is not whole yet is kept from the client: another attempt may have a whole one. */
  hold(attempt: Running, quietMs: number): number {
    const beside = this.running.findLast((one) => one !== attempt)
    const now = performance.now()
    return holdFor({
      quietMs,
      usualMs: this.hedge?.usualMs,
      gatherWithin: this.route.config.gatherWithin,
      besideMs: beside === undefined ? undefined : now - beside.startedAt,
      hedgeInMs: (this.hedge?.dueAt ?? Number.POSITIVE_INFINITY) - now,
    })
  }

  /** Its answer is the client's; those still under way have lost. */
  protected won(winner: Running): void {
    winner.record.decision = 'commit'
    this.#drop(winner)
    this.hedge?.end()
    const alone = this.running.length === 0
    const now = alone ? 0 : performance.now()
    this.waiting.until(alone ? (winner.record.endedAt ?? performance.now()) : now)
    for (const loser of this.running.splice(0)) {
      const overtaken = loser.startedAt < winner.startedAt
      this.#abandon(
        loser,
        overtaken ? { kind: 'abandoned', overtakenAfterMs: now - loser.startedAt } : undefined,
      )
    }
  }

  /** Ends all attempts; nothing is told to the client. */
  protected end(outcomeOf?: (attempt: Running) => Outcome): void {
    this.#ended = true
    clearTimeout(this.#pause)
    this.waiting.until(performance.now())
    this.hedge?.end()
    for (const attempt of this.running.splice(0)) {
      if (!attempt.over) this.#abandon(attempt, outcomeOf?.(attempt))
    }
  }

  #retry(attempt: Running, delayMs: number): void {
    attempt.record.decision = 'retry'
    this.#drop(attempt)
    this.#placing.tried(attempt.lease.target)
    const again = (): void => {
      if (this.#ended) return
      try {
        const lease = this.#placing.again()
        if (typeof lease !== 'string') this.launch(lease, 'retry')
        else if (!this.fallsBack()) this.refuse(refusalError(lease))
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
    this.#placing.tried(attempt.lease.target)
  }

  #abandon(attempt: Running, outcome?: Outcome): void {
    attempt.record.decision = 'abandon'
    attempt.abandon(outcome)
  }

  #drop(attempt: Running): void {
    const at = this.running.indexOf(attempt)
    if (at !== -1) this.running.splice(at, 1)
  }

  /** How long (ms) the newest attempt under way has been so; 0 if none is. */
  underWayMs(now: number): number {
    const newest = this.running.at(-1)
    return newest === undefined ? 0 : now - newest.startedAt
  }

  /** What most answers take (ms); undefined if that is not known. */
  usualMs(): number | undefined {
    return this.hedge?.usualMs
  }

  /** It was set aside, and is under way again. */
  resume(attempt: Running): void {
    this.running.push(attempt)
  }

  factsOf(attempt: Running, now: number): Facts {
    const facts = this.#facts
    facts.about(attempt)
    facts.made = this.attempts.length
    facts.number = facts.made - this.#free
    facts.replayable = this.replayable()
    facts.elapsedMs = now - this.startedAt
    return facts
  }
}
