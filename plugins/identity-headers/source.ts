/** Where in an identity a header's value comes from. */
import { claimAt, type Identity } from '../upstreams/identity.ts'

const FIELDS = ['id', 'kind', 'name', 'consumer', 'plan', 'scopes', 'roles'] as const
export type Field = (typeof FIELDS)[number]
export type Source = Field | `claims.${string}`

export function refuseSource(value: unknown): string | undefined {
  const text = String(value)
  return (FIELDS as readonly string[]).includes(text) || /^claims\.[^.]+(\.[^.]+)*$/.test(text)
    ? undefined
    : `"${text}" is nothing that is known of a caller`
}

export function sourced(identity: Identity, source: Source): unknown {
  return source.startsWith('claims.')
    ? claimAt(identity.claims, source.slice('claims.'.length))
    : identity[source as Field]
}
