import { dateMs } from '../config/dates.ts'
import { custom, list, object, optional, record, text, withDefault } from '../config/kit.ts'
import { written } from '../config/messages.ts'
import type { Resolved } from '../config/typed.ts'
import type { Identity } from '../upstreams/identity.ts'
import { apiKey } from './api-key/options.ts'
import type { ConsumerFacts } from './authenticator.ts'
import { passwordHash } from './basic/options.ts'
import { certificate } from './mtls/options.ts'
import { signingKey } from './signature/options.ts'

const names = withDefault(list(text({ minLength: 1 })), [])

/** One of those who may call: a partner, a team, a program. */
export const consumer = object({
  /** Name of the plan that its quotas are set by. Default: none. */
  plan: optional(text({ minLength: 1 })),
  /** What it may do, unless its credential says otherwise. Default: nothing special. */
  scopes: names,
  roles: names,
  /** What else is to be known of it: told to upstreams and rules as claims are. */
  claims: withDefault(
    custom<Readonly<Record<string, unknown>>>(
      (value) =>
        value !== null && typeof value === 'object' && !Array.isArray(value)
          ? undefined
          : 'must be an object',
      { remedy: 'write { department: "payments" }' },
    ),
    {},
  ),
  /** For routes that accept `api-key`. */
  apiKeys: withDefault(list(apiKey), []),
  /** For routes that accept `basic`; the consumer's name is the user's. */
  password: optional(passwordHash),
  /** For routes that accept `mtls`. */
  certificates: withDefault(list(certificate), []),
  /** For routes that accept `signature`. */
  signingKeys: withDefault(list(signingKey), []),
})

/** Those who may call, by name. */
export const consumers = withDefault(
  record(consumer, {
    // It is the user of Basic, where a colon ends it, and goes into headers and logs.
    names: '^[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,127}$',
    remedy: 'use letters, digits and `_.@+-`',
  }),
  {},
)

export type Consumers = Resolved<typeof consumers>
export type Consumer = Resolved<typeof consumer>

/** The identity of a consumer that has proven itself by a credential of this kind. */
export function consumerIdentity(
  name: string,
  { plan, scopes, roles, claims }: Consumer,
  kind: string,
  own: { readonly scopes?: readonly string[] | undefined; readonly claims?: object } = {},
): Identity {
  return Object.freeze({
    // Whichever way it has come: quotas are the consumer's, not its credential's.
    id: `consumer:${name}`,
    kind,
    name,
    consumer: name,
    plan,
    scopes: own.scopes ?? scopes,
    roles,
    claims: own.claims === undefined ? claims : Object.freeze({ ...claims, ...own.claims }),
  })
}

/** Looks consumers up by their names. */
export function consumerReader(consumers: Consumers): (name: string) => ConsumerFacts | undefined {
  const byName = new Map(Object.entries(consumers).map(([name, consumer]) => [name, { name, ...consumer }]))
  return (name) => byName.get(name)
}

/**
 * Where the config has keys that are not taken any more. That is said in the log and does not keep the gateway from
 * starting: a restart at night must not fail because of one partner's key.
 * @param now milliseconds since 1970
 */
export function expiredKeys(consumers: Consumers, list: 'apiKeys' | 'signingKeys', now: number): string[] {
  return Object.entries(consumers).flatMap(([name, consumer]) =>
    consumer[list].flatMap(({ expires }, i) =>
      expires === undefined || dateMs(expires) > now ? [] : [written('consumers', name, list, i)],
    ),
  )
}
