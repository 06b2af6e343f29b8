import type { FastifyRequest } from 'fastify'
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
}

/** The kinds there are. A plugin that defines one adds its name by declaration merging. */
export interface AuthenticatorKinds {}
