/** Who a request comes from, once authentication has said so. Found on `request.identity`. */
export interface Identity {
  /** The same for the same caller, and for no other: kind and issuer are part of it. Never shown to strangers. */
  readonly id: string
  /** How it was proven: `jwt`, `api-key`, or what a plugin calls its own. */
  readonly kind: string
  /** The subject, or the consumer's name: what the upstream is told. */
  readonly name: string
  /** Name of the consumer of the config that it belongs to, if there is one. */
  readonly consumer: string | undefined
  /** The plan that its quotas are set by, if it has one. */
  readonly plan: string | undefined
  readonly scopes: readonly string[]
  readonly roles: readonly string[]
  /** All that is known besides: a token's claims, a certificate's fields. */
  readonly claims: Readonly<Record<string, unknown>>
}
