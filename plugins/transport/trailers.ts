import { conflated } from '../config/own-headers.ts'

export type Headers = Record<string, string | string[] | undefined>

/**
 * What may not come behind a body (RFC 9110, 6.5.1): framing, routing, who is asking, how the body is to be read, and
 * what decides over the request or the response as a whole. A recipient that merges it with the headers would take a
 * sender's last word for what an intermediary had said or checked before.
 */
const NOT_A_TRAILER = new Set([
  'accept',
  'accept-encoding',
  'age',
  'alt-svc',
  'authorization',
  'cache-control',
  'clear-site-data',
  'connection',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-length',
  'content-location',
  'content-range',
  'content-security-policy',
  'content-type',
  'cookie',
  'date',
  'expect',
  'expires',
  'forwarded',
  'host',
  'http2-settings',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'keep-alive',
  'location',
  'max-forwards',
  'origin',
  'pragma',
  'proxy',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'range',
  'referer',
  'retry-after',
  'set-cookie',
  'strict-transport-security',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'vary',
  'via',
  'www-authenticate',
  'x-http-method',
  'x-http-method-override',
  'x-method-override',
  'x-original-url',
  'x-real-ip',
  'x-request-id',
  'x-rewrite-url',
])

function mayTrail(spelled: string): boolean {
  const name = conflated(spelled)
  return !NOT_A_TRAILER.has(name) && !name.startsWith('x-forwarded-') && !name.startsWith('access-control-')
}

/**
 * The trailers that are passed on; undefined if there are none.
 * @param trailers lower-case names
 */
export function trailersOf(trailers: Headers | undefined): Record<string, string | string[]> | undefined {
  let kept: Record<string, string | string[]> | undefined
  for (const name in trailers) {
    const value = trailers[name]
    if (value === undefined || name.charCodeAt(0) === 58 || !mayTrail(name)) continue
    kept ??= {}
    kept[name] = value
  }
  return kept
}

/** The value of a Trailer header without the names that are not passed on; undefined if none is left. */
export function announcedTrailers(value: string | string[]): string | undefined {
  const names = String(value)
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '' && mayTrail(name))
  return names.length === 0 ? undefined : names.join(', ')
}

/** Whether the response to such a request can have trailers at all. */
export function mayHaveTrailers(method: string, status: number): boolean {
  return method !== 'HEAD' && status !== 204 && status !== 304
}

/** The trailers of a response that are passed on. They need a body of untold length, which is to say a stream. */
export function responseTrailers(
  trailers: Headers | undefined,
  method: string,
  status: number,
): Record<string, string | string[]> | undefined {
  const kept = trailersOf(trailers)
  return kept !== undefined && mayHaveTrailers(method, status) ? kept : undefined
}
