import type { FastifyBaseLogger } from 'fastify'
import type { UpstreamConfig } from '../config/define.ts'
import type { Target, Upstream } from '../upstreams/contract.ts'
import type { FailoverPolicy } from '../upstreams/failover-policy.ts'
import type { AttemptHook, AttemptOptions } from './attempt-owner.ts'
import type { Deadlines } from './deadlines.ts'
import type { Hedge } from './hedge.ts'
import type { Memory } from './memory.ts'
import type { TargetPool } from './pools.ts'

/** What an exchange needs of its upstream and of the gateway around it. */
export interface Route {
  readonly upstream: Upstream
  readonly config: UpstreamConfig
  /** Bytes; `server.bodyLimit`. */
  readonly bodyLimit: number
  readonly bodyMemory: Memory
  readonly deadlines: Deadlines
  /** A watch of its own: a hedge that is 20 ms late has missed its purpose. */
  readonly hedges: Deadlines<Hedge>
  readonly log: FastifyBaseLogger
  /** Hears what attempts fail by. */
  failed(error: unknown): void
  failover(): FailoverPolicy | undefined
  /** Who is told of attempts. */
  onAttempt(): AttemptHook | undefined
  pool(target: Target): TargetPool
  /** Sends a copy to another upstream and forgets it. */
  mirror(upstream: string, options: AttemptOptions): void
}
