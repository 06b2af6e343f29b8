import type { UpstreamConfig } from '../config/define.ts'
import type { FailoverPolicy, Target, Upstream } from '../upstreams/contract.ts'
import type { AttemptOptions } from './attempt-owner.ts'
import type { Deadlines } from './deadlines.ts'
import type { TargetPool } from './pools.ts'

/** What an exchange needs of its upstream and of the gateway around it. */
export interface Route {
  readonly upstream: Upstream
  readonly config: UpstreamConfig
  /** Bytes; `server.bodyLimit`. */
  readonly bodyLimit: number
  readonly deadlines: Deadlines
  failover(): FailoverPolicy | undefined
  pool(target: Target): TargetPool
  /** Sends a copy to another upstream and forgets it. */
  mirror(upstream: string, options: AttemptOptions): void
}
