import { CONNECTION_HEADERS } from '../config/connection-headers.ts'
import { passesFor } from '../config/own-headers.ts'
import { announcedTrailers } from './trailers.ts'

type Headers = Record<string, string | string[] | undefined>

/** Headers that belong to one connection (RFC 9110, 7.6.1) or that undici refuses or makes itself. */
const OF_CONNECTION = new Set([...CONNECTION_HEADERS, 'proxy-authenticate', 'proxy-authorization'])
/** Besides those, what a client may not hand through: we say it ourselves, or undici does. */
const REPLACED_HEADERS = new Set([
  'expect',
  'host',
  'http2-settings',
  'forwarded',
  // No header of HTTP's: CGI makes it HTTP_PROXY, and programs ask there for their own requests (httpoxy).
  'proxy',
  'via',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-proto',
  'x-forwarded-prefix',
  'x-forwarded-server',
  // IIS, and frameworks that were written for it, take them for the path that was asked for.
  'x-original-url',
  'x-real-ip',
  'x-request-id',
  'x-rewrite-url',
])
const PROXY_HEADERS = ['x-forwarded-port', 'x-forwarded-prefix', 'x-forwarded-server', 'x-real-ip'] as const
const NOT_FORWARDED = new Set([...OF_CONNECTION, ...REPLACED_HEADERS])
/** No other spelling of these is passed on: a target behind CGI would read it as this. */
const ONE_SPELLING = new Set([...NOT_FORWARDED, 'content-length'])

/** What a target reports of its load (ORCA) is of the inside. */
const INSIDE_HEADERS = new Set(['endpoint-load-metrics', 'endpoint-load-metrics-bin'])
const NOT_ANSWERED = new Set([...OF_CONNECTION, ...INSIDE_HEADERS])

/** What a request says of the client, as far as it is to be believed. */
export interface ClientFacts {
  /** Address of the peer that is connected to us. */
  readonly peer: string
  /** The peer is one of `server.trustProxy`: what it says of the client is passed on. */
  readonly trusted: boolean
  readonly protocol: 'http' | 'https'
  readonly host: string
  readonly httpVersion: string
  /** The id that the request has with us: the client's own if it is fit to be one. */
  readonly requestId: string
}

export type ForwardedForm = 'x-forwarded' | 'rfc7239' | 'both' | 'none'

function one(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(', ') : value
}

function appended(before: string | undefined, value: string): string {
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

type Edit = (headers: Headers) => void

/**
 * The headers for a target, as undici takes them: name, value, name, value. What belongs to the client's
 * connection is left out, and what the client says of itself counts only if the peer is a trusted proxy.
 * @param headers lower-case names, without those that the client's Connection header listed
 * @param edit the route's own edits: they come last, so they win
 * @param http2 the target is spoken to in HTTP/2
 */
export function requestHeaders(
  headers: Headers,
  client: ClientFacts,
  host: string,
  form: ForwardedForm,
  edit?: Edit,
  http2 = false,
): string[] {
  const list: string[] = ['host', host]
  for (const name in headers) {
    if (NOT_FORWARDED.has(name) || name.charCodeAt(0) === 58 || passesFor(name, ONE_SPELLING)) continue
    push(list, name, headers[name])
  }
  const { peer, trusted, protocol } = client
  if (form === 'x-forwarded' || form === 'both') {
    const before = trusted ? one(headers['x-forwarded-for']) : undefined
    list.push('x-forwarded-for', appended(before, peer))
    list.push('x-forwarded-proto', (trusted && one(headers['x-forwarded-proto'])) || protocol)
    const asked = (trusted && one(headers['x-forwarded-host'])) || client.host
    if (asked !== '') list.push('x-forwarded-host', asked)
    // What we do not say ourselves is passed on from those who are believed.
    if (trusted) for (const name of PROXY_HEADERS) push(list, name, headers[name])
  }
  if (form === 'rfc7239' || form === 'both') {
    const before = trusted ? one(headers.forwarded) : undefined
    const asked = client.host === '' ? '' : `host=${quoted(client.host)};`
    list.push('forwarded', appended(before, `for=${node(peer)};${asked}proto=${protocol}`))
  }
  list.push('x-request-id', client.requestId)
  list.push('via', appended(one(headers.via), `${client.httpVersion} holdfast`))
  // What it says is of us: we pass trailers on. Servers of gRPC insist on it; undici sends none itself.
  if (http2) list.push('te', 'trailers')
  else if (headers.trailer !== undefined && sentInChunks(headers, client)) {
    push(list, 'trailer', announcedTrailers(headers.trailer))
  }
  return edit === undefined ? list : edited(list, edit)
}

/** Only then is there room for trailers behind the body. */
function sentInChunks(headers: Headers, { httpVersion }: ClientFacts): boolean {
  if (headers['content-length'] !== undefined) return false
  return headers['transfer-encoding'] !== undefined || httpVersion.startsWith('2')
}

function push(list: string[], name: string, value: string | string[] | undefined): void {
  if (typeof value === 'string') list.push(name, value)
  else if (value !== undefined) for (const each of value) list.push(name, each)
}

function edited(list: readonly string[], edit: Edit): string[] {
  const headers: Headers = {}
  for (let i = 0; i < list.length; i += 2) {
    const name = list[i] as string
    const value = list[i + 1] as string
    const before = headers[name]
    headers[name] = before === undefined ? value : [before, value].flat()
  }
  edit(headers)
  const result: string[] = []
  for (const [name, value] of Object.entries(headers)) push(result, name, value)
  return result
}

/** Names that a Connection header lists, lower-case. */
export function connectionNames(value: string | string[] | undefined): string[] {
  const names = one(value)
  return names === undefined
    ? []
    : names
        .toLowerCase()
        .split(',')
        .map((name) => name.trim())
}

/**
 * The response headers that are for the client: without those that are of the target's connection and of its load, and
 * without a length where there is no body to have one (RFC 9110, 8.6; at 304 it is the length of what was not sent).
 */
export function responseHeaders(headers: Headers, status: number): Headers {
  const kept: Headers = {}
  const listed = headers.connection
  const dropped =
    listed === undefined || listed === 'keep-alive' || listed === 'close'
      ? undefined
      : connectionNames(listed)
  for (const name in headers) {
    if (NOT_ANSWERED.has(name) || dropped?.includes(name)) continue
    kept[name] = headers[name]
  }
  if (status === 204) delete kept['content-length']
  return kept
}
