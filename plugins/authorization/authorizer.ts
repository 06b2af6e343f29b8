import type { FastifyReply, FastifyRequest } from 'fastify'
import type { GatewayError } from '../upstreams/errors.ts'

/** `true` lets the request pass. Everything else refuses it; a `GatewayError` says in which words. */
export type Verdict = boolean | GatewayError

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
 * The kinds there are besides ours, each with its options: what stands in a route's `authorization.custom` under the
 * kind's name. A plugin that defines one adds it by declaration merging.
 */
export interface AuthorizerKinds {}
