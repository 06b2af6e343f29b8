import type { IncomingMessage } from 'node:http'
import { MEDIA_TYPE } from '../config/media-type.ts'
import { INTERNAL } from '../config/route-name.ts'
import { GatewayError } from '../upstreams/errors.ts'
import { canonicalise } from './canonical.ts'
import type { CompiledRoute } from './compile.ts'
import { isHost } from './host.ts'
import { type LocalRoutes, MATCH } from './local.ts'
import type { Params } from './route-match.ts'
import { createRouter } from './router.ts'

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

export function notAllowed(method: string, headers: Record<string, string> = {}): GatewayError {
  const message = `The method ${method} is not allowed here`
  return new GatewayError('GTW_METHOD_NOT_ALLOWED', 405, 'client', message, { headers })
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
 * Finds the route of a request before Fastify sees it, and says under which address Fastify will find it.
 * @param preflights numbers of the routes that answer CORS preflights
 */
export function findRoute(
  encodedSlash: boolean,
  routes: readonly CompiledRoute[],
  local: LocalRoutes,
  preflights: ReadonlySet<number>,
) {
  const router = createRouter(routes.map(({ match }) => match))
  const refuse = (raw: Matched, error: GatewayError): string => {
    raw[MATCH] = error
    return `${INTERNAL}refused`
  }
  return (raw: Matched): string => {
    if (severalHosts(raw)) return refuse(raw, badRequest('The request has more than one Host header'))
    const canonical = canonicalise(raw.url ?? '/', { encodedSlash })
    if (!canonical.ok) return refuse(raw, badRequest(canonical.reason))
    const { path, query } = canonical
    const method = raw.method ?? 'GET'
    const host = raw.headers.host ?? (raw.headers[':authority'] as string | undefined) ?? ''
    if (!isHost(host)) return refuse(raw, badRequest('The Host header is no host'))
    if (local.has(method, path, host)) return path + query
    if (preflights.size > 0 && method === 'OPTIONS') {
      const asked = raw.headers['access-control-request-method']
      if (asked !== undefined && raw.headers.origin !== undefined) {
        const about = router.match({ host, method: asked, path, query, headers: raw.headers })
        if (about.kind === 'route' && preflights.has(about.index)) {
          return matched(raw, path, query, about, true)
        }
      }
    }
    const result = router.match({ host, method, path, query, headers: raw.headers })
    if (result.kind === 'route') return matched(raw, path, query, result, false)
    if (result.kind === 'none') return refuse(raw, NO_MATCH)
    return refuse(raw, notAllowed(method, { allow: result.allow.join(', ') }))
  }
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
