import type { PolicyContext, Target } from '../upstreams/contract.ts'
import {
  afterCheck,
  type CheckResult,
  type CheckState,
  reasonOf,
  type Thresholds,
  UNCHECKED,
} from './check-state.ts'
import type { CheckCounts } from './collectors.ts'
import { firstPause, type Pace, pauseAfter } from './schedule.ts'

export type Plan = Thresholds & Pace

/** What the checker needs of the world. */
export interface Surroundings {
  readonly context: PolicyContext
  /** Runs something after so many milliseconds; returns what calls it off. */
  after(ms: number, run: () => void): () => void
  /** Makes one check; stops it when the signal says so. Never rejects. */
  check(target: Target, signal: AbortSignal): Promise<CheckResult>
  /** The target has turned healthy or unhealthy. */
  turned(target: Target, status: 'healthy' | 'unhealthy', why: string): void
}

interface Watched {
  readonly target: Target
  readonly plan: Plan
  state: CheckState
  passed: number
  failed: number
  /** Milliseconds that the last one took. */
  tookMs: number | undefined
  /** Ends what is under way: a check, or the wait for one. */
  halt: () => void
}

/** Checks targets one by one, each at its own pace, and never one twice at a time. */
export class Checker {
  readonly #around: Surroundings
  readonly #watched = new Map<Target, Watched>()
  #running = false

  constructor(around: Surroundings) {
    this.#around = around
  }

  /** What was found of each target that is checked. */
  get watched(): ReadonlyMap<Target, CheckCounts> {
    return this.#watched
  }

  /** Undefined for a target that is not checked. */
  status(target: Target): CheckState['status'] | undefined {
    return this.#watched.get(target)?.state.status
  }

  /** Checked from now on, if the checker runs; else from its start. */
  watch(target: Target, plan: Plan): void {
    if (this.#watched.has(target)) return
    const one: Watched = {
      target,
      plan,
      state: UNCHECKED,
      passed: 0,
      failed: 0,
      tookMs: undefined,
      halt: () => {},
    }
    this.#watched.set(target, one)
    if (this.#running) this.#wait(one, 0)
  }

  forget(target: Target): void {
    this.#watched.get(target)?.halt()
    this.#watched.delete(target)
  }

  start(): void {
    if (this.#running) return
    this.#running = true
    let index = 0
    for (const one of this.#watched.values()) {
      this.#wait(one, firstPause(index++, this.#watched.size, one.plan.interval))
    }
  }

  /** For good. What was found stays known. */
  stop(): void {
    this.#running = false
    for (const { halt } of this.#watched.values()) halt()
  }

  #wait(one: Watched, ms: number): void {
    one.halt = this.#around.after(ms, () => void this.#check(one))
  }

  async #check(one: Watched): Promise<void> {
    const { context } = this.#around
    const began = context.now()
    const controller = new AbortController()
    one.halt = () => controller.abort()
    const result = await this.#around.check(one.target, controller.signal)
    // Removed or stopped meanwhile: nobody wants to know any more.
    if (controller.signal.aborted) return
    const before = one.state.status
    if (result.ok || result.ours !== true) {
      one.tookMs = context.now() - began
      if (result.ok) one.passed++
      else one.failed++
      one.state = afterCheck(one.state, result.ok, one.plan)
    }
    const pause = pauseAfter(one.state, one.plan, context.random) - (context.now() - began)
    this.#wait(one, Math.max(0, pause))
    const { status } = one.state
    if (status !== before && status !== 'unchecked')
      this.#around.turned(one.target, status, reasonOf(one.state, result))
  }
}
