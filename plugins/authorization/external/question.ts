/** What a service that decides is told of a request. */
import type { Authorizer } from '../authorizer.ts'

type Request = Parameters<Authorizer>[0]

function one(value: string | string[]): string {
  return typeof value === 'string' ? value : value.join(', ')
}

/** Who calls, if the gateway knows: what it has known the caller by may have been taken off the request. */
const IDENTITY = 'x-identity-id'

function asciiOf(text: string): string {
  return text.toWellFormed().replace(/[^!-~]/gu, encodeURIComponent)
}

/** The headers of the question. Who asks it describes the request as Traefik's ForwardAuth and Envoy do. */
export function questionHeaders(request: Request, shown: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {
    'x-forwarded-method': request.method,
    'x-forwarded-proto': request.protocol,
    'x-forwarded-host': one(request.headers['host'] ?? request.headers[':authority'] ?? ''),
    'x-forwarded-uri': request.url,
    'x-forwarded-for': request.ip,
    'x-request-id': request.id,
  }
  for (const name of shown) {
    const value = request.headers[name]
    if (value !== undefined) headers[name] = one(value)
  }
  const { identity } = request
  if (identity !== null) headers[IDENTITY] = asciiOf(identity.id)
  return headers
}

/** What an answer is kept under: all that the service was told of the request and its caller, or of the caller only. */
export function keyOf(
  headers: Readonly<Record<string, string>>,
  shown: readonly string[],
  callerOnly: boolean,
): string {
  const { 'x-request-id': _, ...told } = headers
  return JSON.stringify(callerOnly ? [IDENTITY, ...shown].map((name) => told[name] ?? null) : told)
}

/** As it is sent in HTTP/1.1: name, colon, blank, value and the line's end. */
export function sizeOf(headers: Readonly<Record<string, string>>): number {
  let size = 0
  for (const name in headers) size += name.length + (headers[name] as string).length + 4
  return size
}
