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
 * Nobody has said who it is, and somebody might be let in.
 * @param challenges value of `WWW-Authenticate`
 */
export function unauthenticated(challenges: string): GatewayError {
  const headers = { 'www-authenticate': challenges, ...NO_STORE }
  return new GatewayError('GTW_UNAUTHENTICATED', 401, 'client', 'This needs a credential', { headers })
}
