import type { FastifyReply, FastifyRequest } from 'fastify'
import type { GatewayError } from '../upstreams/errors.ts'

/** A no, and the reason for it, which goes into the access line (`cause`) and is never told to the client. */
export class Denied {
  readonly why: string

  constructor(why: string) {
    this.why = why
  }
}

/**
 * `true` lets the request pass. Everything else refuses it; a `GatewayError` says in which words. An authorizer that has
 * sent the reply, such as a redirect to a log-in, has said so itself.
 */
export type Verdict = boolean | Denied | GatewayError

/**
 * Decides whether a request may pass. Synchronous where it can be. What it throws or rejects with refuses the request
 * too, and is logged.
 */
export type Authorizer = (request: FastifyRequest, reply: FastifyReply) => Verdict | Promise<Verdict>

/** What an authorizer is made for. */
export interface AuthorizerContext {
  /** Name of the route. */
  readonly route: string
}

/** Makes an authorizer from its options, once for each route. Throws, naming the remedy, if they do not go together. */
export type CreateAuthorizer<O = unknown> = (options: O, context: AuthorizerContext) => Authorizer

/**
 * The kinds there are besides ours, each with its options as they are written: what stands in a route's
 * `authorization.custom` under the kind's name. A plugin that defines one adds it by declaration merging:
 * `officeHours: Input<typeof officeHoursOptions>`.
 */
export interface AuthorizerKinds {}
