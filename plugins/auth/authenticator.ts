import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Identity } from '../upstreams/identity.ts'

/**
 * A credential was brought and is not good. `told` may be read by the caller, whoever that is: it never says which
 * part of a secret was wrong, nor whether a name exists.
 */
export class Refusal {
  /** After RFC 6750, 3.1. */
  readonly error: 'invalid_request' | 'invalid_token'
  readonly told: string
  /** For the log only. */
  readonly why: string

  constructor(error: Refusal['error'], told: string, why: string = told) {
    this.error = error
    this.told = told
    this.why = why
  }
}

/** `undefined`: the request brings nothing of this kind. */
export type Verdict = Identity | Refusal | undefined

/** One way of telling who a request comes from. */
export interface Authenticator {
  /**
   * Value of `WWW-Authenticate` (RFC 9110, 11.6.1) for a request that brought nothing or, with `refusal`, nothing
   * good. Undefined where the kind has no challenge that a client could follow.
   */
  challenge(refusal?: Refusal): string | undefined
  /**
   * Synchronous where it can be. Never throws for what a client sends. A rejection or an exception means that it
   * cannot be told now (what it asks is down): the request is refused with 503, not let through.
   */
  authenticate(request: FastifyRequest): Verdict | Promise<Verdict>
  /**
   * Called for every request of a route that accepts the kind, before any kind is asked: a secret that is no business
   * of the upstream or the log is taken off here, whichever kind will know the caller.
   */
  prepare?(request: FastifyRequest): void
  /** Called when the server is ready: timers and connections begin here, and not before. What it throws fails the start. */
  start?(): void | Promise<void>
  /** Called when the server closes. */
  stop?(): void | Promise<void>
}

/** What the config knows of a caller that has a name in it. */
export interface ConsumerFacts {
  readonly name: string
  readonly plan?: string | undefined
  readonly scopes?: readonly string[] | undefined
  readonly roles?: readonly string[] | undefined
  readonly claims?: Identity['claims'] | undefined
}

/**
 * What a token and the consumer that it names are together. It has the roles of both. Of claims that both have the
 * consumer's count: whoever issues tokens does not overrule this config. Scopes are the token's alone: it may be good
 * for less than its bearer.
 */
export function ofConsumer(
  consumer: ConsumerFacts | undefined,
  { roles, claims }: Pick<Identity, 'roles' | 'claims'>,
): Pick<Identity, 'consumer' | 'plan' | 'roles' | 'claims'> {
  if (consumer === undefined) return { consumer: undefined, plan: undefined, roles, claims }
  return {
    consumer: consumer.name,
    plan: consumer.plan,
    roles: [...new Set([...roles, ...(consumer.roles ?? [])])],
    claims: { ...claims, ...consumer.claims },
  }
}

/** What an authenticator is made with besides its options. */
export interface AuthenticatorContext {
  /** For its log, and for what other concerns have decorated on it. Not to be decorated or hooked any more. */
  readonly app: FastifyInstance
  /** Milliseconds since 1970, for what is told in dates. It may jump. */
  date(): number
  /** Monotonic milliseconds, for intervals. */
  now(): number
  random(): number
  /** The protection space that challenges name (RFC 9110, 11.5). */
  readonly realm: string
  /** The consumer of the config with this name. */
  consumer(name: string): ConsumerFacts | undefined
}

/** Makes the authenticator of a kind from its options. Throws, naming the remedy, if they do not go together. */
export type CreateAuthenticator<O = unknown> = (options: O, context: AuthenticatorContext) => Authenticator

/**
 * The kinds there are, each with its options as they are written: what stands in the config under `auth` and the kind's
 * name. A plugin that defines one adds it by declaration merging: `ticket: Input<typeof ticketOptions>`.
 */
export interface AuthenticatorKinds {}
