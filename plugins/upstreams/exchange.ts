/** What one client request is to those who meet in it: the routing, the transport, logs and metrics. */
import type { Binding } from './binding.ts'
import type { Outcome, Target } from './contract.ts'
import type { Identity } from './identity.ts'

/** What a request is told apart by, for policies that send like to like. A FastifyRequest is one. */
export interface KeyedRequest {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly params: unknown
  readonly query: unknown
  readonly ip: string
  /** Who it is, once authentication has said so. */
  readonly identity?: Pick<Identity, 'id'> | null
}

/** How an attempt went, for logs, metrics and those who ask why. */
export interface AttemptRecord {
  readonly target: Target
  /** `hedge`: begun beside one that took long. */
  readonly kind: 'first' | 'retry' | 'hedge'
  /** `undefined` while it is under way. */
  outcome: Outcome | undefined
  /** What was done about it; `wait` is for another attempt that is under way. */
  decision: 'commit' | 'retry' | 'wait' | 'give-up' | 'abandon' | undefined
  /** Monotonic milliseconds. */
  readonly startedAt: number
  /** When it had a connection; undefined if it never had one, and for upgrades, which open one of their own. */
  sentAt: number | undefined
  /** When its last byte was there or nothing more was waited for; of an upgrade, when it was answered. */
  endedAt: number | undefined
  /** Its id in traces; undefined where nobody traces. */
  spanId: string | undefined
}

/** What the exchange loop must know of a request; the routing makes it. */
export interface ExchangePlan {
  /** Name of the route, for logs and metrics. */
  readonly route: string
  readonly upstream: string
  /** Path and query as the target will see them. */
  readonly path: string
  /** What was taken off the front of the path, so that the target can tell where it is found; undefined if nothing was. */
  readonly prefix: string | undefined
  /** Hash key ('' where the route has none). */
  readonly key: string
  /** The session that it belongs to, if there is one. */
  readonly binding: Binding | undefined
  /** The route says that repeating does no harm; undefined leaves it to the method. */
  readonly repeatable: boolean | undefined
  /** Milliseconds for the whole exchange, if the route has its own; 0 is no limit. */
  readonly timeoutMs: number | undefined
  /** Changes the headers that the target will see, in place, as the last one to do so. */
  readonly editRequest: ((headers: Record<string, string | string[] | undefined>) => void) | undefined
  /** A second upstream that is sent a copy, whose answer is ignored. */
  readonly mirror: string | undefined
}

/** One client request and all the attempts made for it. Found on `request.exchange`. */
export interface Exchange {
  readonly plan: ExchangePlan
  readonly attempts: readonly AttemptRecord[]
  /** Milliseconds spent waiting for targets, over all attempts. */
  readonly upstreamMs: number
  /** The target broke off what was being sent: that the client did not get it all is not the client's doing. */
  readonly broken: boolean
  /** Takes the first lease. Returns what stands for the upstream in URLs; throws a `GatewayError` if there is no target. */
  begin(): string
  /** Sends the request from these headers on its way; what reply-from is handed as headers. */
  outgoing(
    headers: Record<string, string | string[] | undefined>,
  ): Record<string, string | string[] | undefined>
  /** Rid of what belongs to the connection with the target only. */
  incoming(
    headers: Record<string, string | string[] | undefined>,
  ): Record<string, string | string[] | undefined>
  /** Sends the committed answer's body. */
  answer(body: unknown): void
}
