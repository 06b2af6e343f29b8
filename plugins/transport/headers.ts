import { isOfProxies } from '../config/believed.ts'
import { CONNECTION_HEADERS } from '../config/connection-headers.ts'
import { conflated, isOdd } from '../config/own-headers.ts'
import { appended, type ClientFacts, type ForwardedForm, one, pushForwarded } from './forwarded.ts'
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
  'x-forwarded-prefix',
  'x-forwarded-proto',
  // IIS, and frameworks that were written for it, take them for the path that was asked for.
  'x-original-url',
  'x-real-ip',
  'x-request-id',
  'x-rewrite-url',
])
const NOT_FORWARDED = new Set([...OF_CONNECTION, ...REPLACED_HEADERS])
/** No other spelling of these is passed on: a target behind CGI would read it as this. */
const ONE_SPELLING = new Set([...NOT_FORWARDED, 'content-length'])

/** What a target reports of its load (ORCA) is of the inside. */
const INSIDE_HEADERS = new Set(['endpoint-load-metrics', 'endpoint-load-metrics-bin'])
const NOT_ANSWERED = new Set([...OF_CONNECTION, ...INSIDE_HEADERS])

/** How the client's request is said to a target. */
export interface Outgoing {
  readonly host: string
  readonly forwarded: ForwardedForm
  /** What was taken off the front of the path. */
  readonly prefix?: string | undefined
  /** The route's own edits: they come last, so they win. */
  readonly edit?: ((headers: Headers) => void) | undefined
  /** The target is spoken to in HTTP/2. Default false. */
  readonly http2?: boolean
}

function passes(name: string): boolean {
  if (NOT_FORWARDED.has(name)) return false
  if (!isOdd(name)) return true
  const read = conflated(name)
  return !ONE_SPELLING.has(read) && !isOfProxies(read)
}

/**
 * The headers for a target, as undici takes them: name, value, name, value. What belongs to the client's
 * connection is left out.
 * @param headers lower-case names, without those that the client's Connection header listed and what nobody who is
 * believed has said of the client
 */
export function requestHeaders(headers: Headers, client: ClientFacts, outgoing: Outgoing): string[] {
  const { host, forwarded: form, prefix, edit, http2 = false } = outgoing
  const list: string[] = ['host', host]
  for (const name in headers) if (passes(name)) push(list, name, headers[name])
  pushForwarded(list, headers, client, form, prefix)
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

function edited(list: readonly string[], edit: (headers: Headers) => void): string[] {
  // Names are the client's: `constructor` must not be found on a prototype.
  const headers: Headers = Object.create(null)
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
 * without a length where there is no body to have one (RFC 9110, 8.6; at 304 it is the length of what was not sent; at
 * 205 there is none, whatever the target says of it).
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
  if (status === 204 || status === 205) delete kept['content-length']
  return kept
}
