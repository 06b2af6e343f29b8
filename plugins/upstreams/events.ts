/** What the registry tells those who listen. */
import type { Outcome, Target } from './contract.ts'
import type { Veto } from './health-source.ts'

export type Listener = (target: Target, outcome: Outcome) => void

/**
 * A decision or a change that an operator wants to know of, told once. Health sources tell each other in this way
 * too: `unhealthy` and `healthy` (a check), `ejected` and `returned` (outlier detection), `spilled` and `restored`
 * (tiers), `panic` and `calm`.
 */
export interface UpstreamEvent {
  /** One or two words in kebab case. */
  readonly name: string
  readonly upstream: string
  /** Undefined where it is about the upstream as a whole. */
  readonly target?: Target
  /** Name of the source that says so. */
  readonly by: string
  /** For people. */
  readonly why: string
  /** `warn` where something got worse. */
  readonly level: 'info' | 'warn'
}

/** Names of events by which a target is taken out: a failed check, an ejection, an open breaker. */
export const TAKEN_OUT: ReadonlySet<string> = new Set(['unhealthy', 'ejected', 'breaker-opened'])

/** The event by which a target's name leads elsewhere: connections of one's own to it are to be opened anew. */
export const ADDRESS_CHANGED = 'address-changed'

export interface TargetChange {
  readonly kind: 'added' | 'draining' | 'removed' | 'changed'
  readonly target: Target
}

/** What a health source holds against a target now. */
export interface Opinion {
  /** Name of the source. */
  readonly by: string
  /** Undefined where it only wants less traffic for it. */
  readonly veto: Veto | undefined
  /** 0..1 of its usual traffic. */
  readonly share: number
}
