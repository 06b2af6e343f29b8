import type { Duplex } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ExchangePlan } from '../upstreams/exchange.ts'
import type { ClientFacts } from './forwarded.ts'
import type { OpenTunnels } from './open-tunnels.ts'
import type { Route } from './route.ts'

type Headers = Record<string, string | string[] | undefined>

/** The client's side of an upgrade, as the server's `upgrade` event gives it. */
export interface UpgradeSocket {
  readonly socket: Duplex
  /** What the client has sent behind its request already. */
  readonly head: Buffer
  /** What it wants to speak from then on. */
  readonly protocol: string
}

/** What a tunnel is made of. */
export interface TunnelFacts {
  readonly route: Route
  readonly plan: ExchangePlan
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly client: ClientFacts
  readonly upgrade: UpgradeSocket
  /** Changes the headers of a refusal, in place. */
  readonly editResponse: ((headers: Headers) => void) | undefined
  /** Where it is counted while it is open. */
  readonly tunnels: OpenTunnels
}
