import type { Target, TargetSpec } from './contract.ts'
import type { Standing } from './division.ts'
import { murmur3 } from './murmur3.ts'
import type { SafeBalancer } from './safe-balancer.ts'

/** A target as the registry keeps it. */
export class TargetState implements Target {
  readonly id: string
  readonly upstream: string
  readonly origin: string
  readonly tier: number
  readonly zone: string
  /** Tells it from others where keys are dealt with. */
  readonly hash: number
  weight: number
  inflight = 0
  tunnels = 0
  waiting = 0
  quietSince = 0
  draining = false
  /** Who wants it drained. */
  readonly drainedBy = new Set<string>()
  share = 1
  standing: Standing = 'absent'
  /** The one that it was last a candidate of: hears what becomes of it. */
  balancer: SafeBalancer | undefined
  /** Nothing is held against it that counts. */
  usable = false
  /** Part of the present snapshot: the registry picks no other, whatever a balancer returns. */
  candidate = false
  #idle: (() => void)[] = []

  constructor(upstream: string, spec: Required<TargetSpec>) {
    this.id = spec.origin
    this.upstream = upstream
    this.origin = spec.origin
    this.weight = spec.weight
    this.tier = spec.tier
    this.zone = spec.zone
    this.hash = murmur3(spec.origin)
  }

  /** Resolves when nothing is under way here. */
  idle(): Promise<void> {
    if (this.inflight === 0) return Promise.resolve()
    return new Promise((resolve) => this.#idle.push(resolve))
  }

  /** One request more is under way. */
  enter(tunnel: boolean): void {
    this.inflight++
    if (tunnel) this.tunnels++
    this.balancer?.onInflight(this)
  }

  leave(tunnel: boolean): void {
    this.inflight--
    if (tunnel) this.tunnels--
    this.balancer?.onInflight(this)
    if (this.inflight > 0 || this.#idle.length === 0) return
    const waiting = this.#idle
    this.#idle = []
    for (const resolve of waiting) resolve()
  }
}
