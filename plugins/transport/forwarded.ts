/** How targets are told of the client. */
type Headers = Record<string, string | string[] | undefined>

/** What a request says of the client, as far as it is to be believed. */
export interface ClientFacts {
  /** Address of the peer that is connected to us. */
  readonly peer: string
  /** The client's own address, as far as the peer is believed. */
  readonly address: string
  readonly protocol: 'http' | 'https'
  readonly host: string
  readonly httpVersion: string
  /** The id that the request has with us: the client's own if it is fit to be one. */
  readonly requestId: string
}

export type ForwardedForm = 'x-forwarded' | 'rfc7239' | 'both' | 'none'

export function one(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(', ') : value
}

export function appended(before: string | undefined, value: string): string {
  return before === undefined || before === '' ? value : `${before}, ${value}`
}

/** A node of RFC 7239: an address of version 6 is in brackets and quoted. */
function node(address: string): string {
  return address.includes(':') ? `"[${address}]"` : address
}

/** A value of RFC 7239: a token goes bare, all else is quoted. */
function quoted(value: string): string {
  return /^[\w!#$%&'*+.^`|~-]+$/.test(value) ? value : `"${value.replaceAll(/["\\]/g, '\\$&')}"`
}

/** The port that the client asked, by what it said of host and protocol. */
function portOf(host: string, protocol: string): string {
  return /:(\d+)$/.exec(host)?.[1] ?? (protocol === 'https' ? '443' : '80')
}

function pushXForwarded(
  list: string[],
  headers: Headers,
  client: ClientFacts,
  prefix: string | undefined,
): void {
  const { peer, protocol, address } = client
  const chain = one(headers['x-forwarded-for']) || undefined
  list.push('x-forwarded-for', appended(chain, peer))
  // A proxy that writes the chain may pass on here what a client has said.
  list.push('x-real-ip', (chain === undefined && one(headers['x-real-ip'])) || address)
  const spoken = one(headers['x-forwarded-proto']) || protocol
  list.push('x-forwarded-proto', spoken)
  const asked = one(headers['x-forwarded-host']) || client.host
  if (asked !== '') list.push('x-forwarded-host', asked)
  list.push('x-forwarded-port', one(headers['x-forwarded-port']) || portOf(asked, spoken))
  const outer = one(headers['x-forwarded-prefix']) ?? ''
  if (prefix !== undefined || outer !== '')
    list.push('x-forwarded-prefix', `${outer.replace(/\/$/, '')}${prefix ?? ''}` || '/')
}

/**
 * Adds what is said of the client. What was said before is kept and added to: by a proxy that is believed, or a plugin.
 * @param prefix what was taken off the front of the path
 */
export function pushForwarded(
  list: string[],
  headers: Headers,
  client: ClientFacts,
  form: ForwardedForm,
  prefix: string | undefined,
): void {
  if (form === 'x-forwarded' || form === 'both') pushXForwarded(list, headers, client, prefix)
  if (form !== 'rfc7239' && form !== 'both') return
  const { peer, protocol, host } = client
  const before = one(headers['forwarded'])
  const asked = host === '' ? '' : `host=${quoted(host)};`
  list.push('forwarded', appended(before, `for=${node(peer)};${asked}proto=${protocol}`))
}
