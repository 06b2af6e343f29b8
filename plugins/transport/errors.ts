import type { FailureReason, LeaseRefusal } from '../upstreams/contract.ts'
import { GatewayError } from '../upstreams/errors.ts'

/** The attempt took longer than one of its deadlines allows. */
export class DeadlineError extends Error {
  readonly code = 'GTW_DEADLINE'
  /** It waited for others of ours, not for the target. */
  readonly queued: boolean

  /** @param phase what was waited for */
  constructor(phase: string) {
    super(`waited too long for ${phase}`)
    this.queued = phase === 'its turn'
  }
}

/** The target has answered with a status that HTTP has no class for (RFC 9110, 15). */
export class UnknownStatusError extends Error {
  readonly code = 'GTW_STATUS'

  constructor(status: number) {
    super(`the status ${status} is none of HTTP's`)
  }
}

/** The client's body outgrew the limit while it was being forwarded. */
export class BodyTooLargeError extends Error {
  readonly code = 'GTW_BODY_LIMIT'
}

/** The client kept a connection to a target by being slow, and others waited for one. */
export class SlowClientError extends Error {
  readonly code = 'GTW_CLIENT_TOO_SLOW'

  constructor() {
    super('the client was too slow while others waited')
  }
}

const PROTOCOL_CODES = new Set([
  'GTW_STATUS',
  'UND_ERR_HEADERS_OVERFLOW',
  'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
  'UND_ERR_INVALID_ARG',
  'UND_ERR_NOT_SUPPORTED',
])

/** Why an attempt failed, in the contract's words. */
export function failureReason(error: unknown, requestSent: boolean): FailureReason {
  const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown }
  if (error instanceof DeadlineError && error.queued) return 'overflow'
  if (error instanceof DeadlineError || code === 'UND_ERR_CONNECT_TIMEOUT') return 'timeout'
  // undici gives a parser's error no code, though its types say so.
  if (name === 'HTTPParserError' || (typeof code === 'string' && PROTOCOL_CODES.has(code))) return 'protocol'
  return requestSent ? 'reset' : 'connect'
}

/** What the client is told when no attempt is left. */
export function failureError(reason: FailureReason, cause: unknown): GatewayError {
  switch (reason) {
    case 'timeout':
      return new GatewayError('GTW_UPSTREAM_TIMEOUT', 504, 'upstream', 'The service did not answer in time', {
        cause,
      })
    case 'connect':
      return new GatewayError('GTW_UPSTREAM_UNREACHABLE', 502, 'upstream', 'The service cannot be reached', {
        cause,
      })
    case 'reset':
      return new GatewayError(
        'GTW_UPSTREAM_RESET',
        502,
        'upstream',
        'The service ended the connection early',
        {
          cause,
        },
      )
    case 'protocol':
      return new GatewayError('GTW_UPSTREAM_PROTOCOL', 502, 'upstream', 'The service gave no valid answer', {
        cause,
      })
    case 'overflow':
      return refusalError('overloaded')
  }
}

/** What the client is told when no target can be had at all. */
export function refusalError(refusal: LeaseRefusal): GatewayError {
  const headers = { 'retry-after': '1' }
  return refusal === 'empty'
    ? new GatewayError('GTW_NO_TARGET', 503, 'upstream', 'The service is not available now', { headers })
    : new GatewayError('GTW_OVERLOADED', 503, 'upstream', 'The service is busy now', { headers })
}

export function clientTooSlow(cause: SlowClientError): GatewayError {
  return new GatewayError('GTW_CLIENT_TOO_SLOW', 408, 'client', 'The request came too slowly', {
    cause,
    headers: { connection: 'close' },
  })
}

export function bodyTooLarge(): GatewayError {
  return new GatewayError('GTW_BODY_TOO_LARGE', 413, 'client', 'The request body is too large', {
    headers: { connection: 'close' },
  })
}
