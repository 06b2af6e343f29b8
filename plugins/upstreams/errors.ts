declare module 'fastify' {
  interface FastifyRequest {
    /** What this request failed with, inside and all: for logs and metrics, never for the client. */
    failure: Error | null
  }
}

/** No cache may keep what was said to one caller (RFC 9111, 5.2.2.5). */
export const NO_STORE = { 'cache-control': 'no-store' }

/** Who caused an error: metrics count it, and no one blames a target for a client's mistake. */
export type ErrorSource = 'client' | 'gateway' | 'upstream'

/**
 * An error that a client may see: RFC 9457 fields, a stable code, and nothing of the inside. What
 * operators need besides goes to `cause`, which is logged and never sent.
 */
export class GatewayError extends Error {
  readonly code: string
  readonly statusCode: number
  readonly source: ErrorSource
  readonly headers: Readonly<Record<string, string>> | undefined

  constructor(
    code: `GTW_${string}`,
    statusCode: number,
    source: ErrorSource,
    message: string,
    options: { cause?: unknown; headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'GatewayError'
    this.code = code
    this.statusCode = statusCode
    this.source = source
    this.headers = options.headers
  }
}

/**
 * The code that a request failed with is the same wherever it is told: to the client, in logs, metrics and spans. An
 * error that is none of the gateway's own is the client's fault if it has a status below 500, and else an endpoint's
 * or a plugin's.
 */
export function errorCode(error: Error & { readonly statusCode?: number }): string {
  if (error instanceof GatewayError) return error.code
  return errorStatus(error) < 500 ? 'GTW_BAD_REQUEST' : 'GTW_INTERNAL'
}

/** What it is answered with. */
export function errorStatus({ statusCode }: { readonly statusCode?: number }): number {
  return statusCode !== undefined && statusCode >= 400 ? statusCode : 500
}

/**
 * Nobody has said who it is, and somebody might be let in.
 * @param challenges value of `WWW-Authenticate`
 */
export function unauthenticated(challenges: string, cause?: unknown): GatewayError {
  const headers = { 'www-authenticate': challenges, ...NO_STORE }
  return new GatewayError('GTW_UNAUTHENTICATED', 401, 'client', 'This needs a credential', {
    headers,
    ...(cause === undefined ? {} : { cause }),
  })
}
