import type { IncomingMessage } from 'node:http'
import { MEDIA_TYPE } from '../config/media-type.ts'
import { INTERNAL } from '../config/route-name.ts'
import { GatewayError } from '../upstreams/errors.ts'
import { canonicalise } from './canonical.ts'
import type { CompiledRoute } from './compile.ts'
import { takeConnectionNames } from './connection-names.ts'
import { isHost } from './host.ts'
import { type LocalRoutes, MATCH } from './local.ts'
import type { Params, RequestFacts } from './route-match.ts'
import { createRouter } from './router.ts'
import { sentTarget, takeSecrets } from './take-query.ts'

/** A content type that Fastify cannot read, and would answer with 415 though it is the target's to judge. */
export const TYPE = Symbol('holdfast.type')
/** What was found out about a request before Fastify saw it. */
export interface Match {
  readonly path: string
  readonly query: string
  readonly url: string
  readonly params: Params
  /** It asks beforehand, for another method, whether it may: never to be forwarded. */
  readonly preflight: boolean
}
export type Matched = IncomingMessage & { [MATCH]?: Match | GatewayError; [TYPE]?: string }

export const NO_MATCH = new GatewayError('GTW_NO_ROUTE', 404, 'client', 'There is nothing here')

export function badRequest(message: string): GatewayError {
  return new GatewayError('GTW_BAD_REQUEST', 400, 'client', message)
}

/** What the route is found by says several things. */
export const AMBIGUOUS = badRequest(
  'A header, parameter or cookie that the route is found by came several times, or in two spellings',
)

export function notAllowed(method: string, headers: Record<string, string> = {}): GatewayError {
  const message = `The method ${method} is not allowed here`
  return new GatewayError('GTW_METHOD_NOT_ALLOWED', 405, 'client', message, { headers })
}

/**
 * What HTTP has a server refuse that Node lets through, or would answer with nothing but a status. It is a request like
 * any other, with a line in the log.
 */
function unfit({ headers, httpVersion }: IncomingMessage): GatewayError | undefined {
  const { expect, host, 'transfer-encoding': encoding } = headers
  // RFC 9112, 3.2
  if (host === undefined && httpVersion === '1.1') return badRequest('The request has no Host header')
  // RFC 9112, 6.1: its framing is faulty, and what follows may be what others take for its body.
  if (encoding !== undefined && httpVersion === '1.0') {
    const message = 'HTTP/1.0 has no transfer encodings'
    return new GatewayError('GTW_BAD_REQUEST', 400, 'client', message, { headers: { connection: 'close' } })
  }
  // The same. It would be sent on in chunks, and nobody told what else was done to it.
  if (encoding !== undefined && encoding.toLowerCase() !== 'chunked') {
    const message = 'Of transfer encodings only chunked is served'
    return new GatewayError('GTW_NOT_IMPLEMENTED', 501, 'client', message)
  }
  // RFC 9110, 10.1.1: one of HTTP/1.0 means nothing.
  if (expect !== undefined && httpVersion !== '1.0' && expect.toLowerCase() !== '100-continue') {
    const message = 'Of expectations only 100-continue is met'
    return new GatewayError('GTW_EXPECTATION_FAILED', 417, 'client', message)
  }
  return undefined
}

/** `http://authority/path?query`, which a client may send to any server as if that were a proxy. */
const ABSOLUTE = /^https?:\/\/([^/?]*)(\/?)(.*)$/is

/** The request target in origin form. An authority that it has takes the place of the Host header (RFC 9112, 3.2.2). */
function originForm(raw: IncomingMessage & { originalUrl?: string }): string {
  const { url = '/', method } = raw
  if (url.startsWith('/') || raw.httpVersionMajor !== 1) return url
  const absolute = ABSOLUTE.exec(url)
  if (absolute === null || absolute[1] === '') return url
  const [, authority, slash, rest] = absolute as unknown as [string, string, string, string]
  raw.headers.host = authority
  // RFC 9112, 3.2.4
  const origin = method === 'OPTIONS' && slash + rest === '' ? '*' : `/${rest}`
  raw.originalUrl = origin
  return origin
}

/** Node takes the first of several Host headers and says nothing of the others: a request smuggled past it. */
function severalHosts({ headers, rawHeaders }: IncomingMessage): boolean {
  let hosts = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string
    if (name.length === 4 && name.toLowerCase() === 'host') hosts++
  }
  // With HTTP/2 it comes as the authority, and a Host header besides has to agree (RFC 9113, 8.3.1).
  const authority = headers[':authority']
  return hosts > 1 || (hosts === 1 && authority !== undefined && authority !== headers.host)
}

/**
 * What routing looks at in a request, or why it is refused.
 * @param target in origin form
 */
export function factsOf(
  raw: IncomingMessage,
  target: string,
  encodedSlash: boolean,
): RequestFacts | GatewayError {
  if (severalHosts(raw)) return badRequest('The request has more than one Host header')
  const refusal = unfit(raw)
  if (refusal !== undefined) return refusal
  const canonical = canonicalise(target, { encodedSlash })
  if (!canonical.ok) return badRequest(canonical.reason)
  const { path, query } = canonical
  const { headers, rawHeaders, method = 'GET' } = raw
  const host = headers.host ?? (headers[':authority'] as string | undefined) ?? ''
  return isHost(host)
    ? { host, method, path, query, headers, rawHeaders }
    : badRequest('The Host header is no host')
}

/**
 * Finds the route of a request before Fastify sees it, and says under which address Fastify will find it.
 * @param preflights numbers of the routes that answer CORS preflights
 * @param secrets query parameters that nobody behind the routing is to see
 */
export function findRoute(
  encodedSlash: boolean,
  routes: readonly CompiledRoute[],
  local: LocalRoutes,
  preflights: ReadonlySet<number>,
  secrets: ReadonlySet<string>,
) {
  const router = createRouter(routes.map(({ match }) => match))
  const refuse = (raw: Matched, error: GatewayError): string => {
    raw[MATCH] = error
    return `${INTERNAL}refused`
  }
  return (raw: Matched): string => {
    const target = sentTarget(raw) ?? originForm(raw)
    if (secrets.size > 0) takeSecrets(raw, target, secrets)
    const wrong = takeConnectionNames(raw)
    if (wrong !== undefined) return refuse(raw, badRequest(`The Connection header must not name ${wrong}`))
    const facts = factsOf(raw, target, encodedSlash)
    if (facts instanceof GatewayError) return refuse(raw, facts)
    const { host, method, path } = facts
    // Conditions of routes may be about what nobody else sees.
    const query = sentTarget(raw) === undefined ? facts.query : queryOf(raw.url as string)
    if (local.has(method, path, host)) return path + query
    if (preflights.size > 0 && method === 'OPTIONS') {
      const asked = raw.headers['access-control-request-method']
      if (asked !== undefined && raw.headers.origin !== undefined) {
        const about = router.match({ ...facts, method: asked })
        if (about.kind === 'route' && preflights.has(about.index)) {
          return matched(raw, path, query, about, true)
        }
      }
    }
    const result = router.match(facts)
    if (result.kind === 'route') return matched(raw, path, query, result, false)
    if (result.kind === 'none') return refuse(raw, NO_MATCH)
    if (result.kind === 'ambiguous') return refuse(raw, AMBIGUOUS)
    return refuse(raw, notAllowed(method, { allow: result.allow.join(', ') }))
  }
}

function queryOf(url: string): string {
  const start = url.indexOf('?')
  return start === -1 ? '' : url.slice(start)
}

function matched(
  raw: Matched,
  path: string,
  query: string,
  route: { index: number; params: Params },
  preflight: boolean,
): string {
  raw[MATCH] = { path, query, url: query === '' ? path : path + query, params: route.params, preflight }
  return `${INTERNAL}${route.index}${query}`
}

/** Fastify would answer 415 to a content type that it cannot read: it is hidden until the request is forwarded. */
export function hideStrangeType(raw: Matched): void {
  const type = raw.headers['content-type']
  if (type === undefined || MEDIA_TYPE.test(type)) return
  raw[TYPE] = type
  delete raw.headers['content-type']
}
