import type { FailureReason, LeaseRefusal } from '../upstreams/contract.ts'
import { type ErrorSource, GatewayError } from '../upstreams/errors.ts'
import { shortage } from '../upstreams/shortage.ts'

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

/** Whether an answer may have this status: HTTP has no class below 100 or above 599, and 1xx are not the answer. */
export function isFinal(status: number): boolean {
  return status >= 200 && status <= 599
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

/** The client left while its body was forwarded. */
export class ClientLeftError extends Error {
  readonly code = 'GTW_CLIENT_LEFT'

  constructor() {
    super('the client left')
  }
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
])

/** What our own writer, or undici's, does not send, or not to the end. */
const UNSENDABLE_CODES = new Set([
  'UND_ERR_INVALID_ARG',
  'UND_ERR_NOT_SUPPORTED',
  'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH',
])

/** Headers beyond the 64 KiB that nghttp2 sends: HEADERS, FRAME_SIZE_ERROR. undici has it in its message only. */
const HEADERS_TOO_LARGE = 'HTTP/2: "frameError" received - type 1, code 6'

/**
 * What the client is told of an attempt that ended for a reason of its own, or of ours: it says nothing of the target,
 * and another one would be no help. Undefined if it is a failure of the target's.
 */
export function blameless(error: unknown): Error | undefined {
  if (error instanceof SlowClientError) return clientTooSlow(error)
  if (error instanceof BodyTooLargeError) return bodyTooLarge()
  if (error instanceof ClientLeftError) return error
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown }
  if (message === HEADERS_TOO_LARGE) return headersTooLarge(error)
  // Not the client's fault either, as far as we know: what it may not send was refused before.
  return typeof code === 'string' && UNSENDABLE_CODES.has(code)
    ? new Error('the request cannot be sent to any target', { cause: error })
    : undefined
}

/** Why an attempt failed, in the contract's words. */
export function failureReason(error: unknown, requestSent: boolean): FailureReason {
  const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown }
  if (error instanceof DeadlineError && error.queued) return 'overflow'
  if (error instanceof DeadlineError || code === 'UND_ERR_CONNECT_TIMEOUT') return 'timeout'
  // undici gives a parser's error no code, though its types say so.
  if (name === 'HTTPParserError' || (typeof code === 'string' && PROTOCOL_CODES.has(code))) return 'protocol'
  if (shortage(error) !== undefined) return 'overflow'
  return requestSent ? 'reset' : 'connect'
}

const SOON = { 'retry-after': '1' }

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
      return overloaded(shortage(cause) === undefined ? 'upstream' : 'gateway', cause)
  }
}

/** What the client is told when no target can be had at all. */
export function refusalError(refusal: LeaseRefusal): GatewayError {
  return refusal === 'empty'
    ? new GatewayError('GTW_NO_TARGET', 503, 'upstream', 'The service is not available now', {
        headers: SOON,
      })
    : overloaded('upstream')
}

function overloaded(source: ErrorSource, cause?: unknown): GatewayError {
  return new GatewayError('GTW_OVERLOADED', 503, source, 'The service is busy now', { headers: SOON, cause })
}

export function clientTooSlow(cause: SlowClientError): GatewayError {
  return new GatewayError('GTW_CLIENT_TOO_SLOW', 408, 'client', 'The request came too slowly', {
    cause,
    headers: { connection: 'close' },
  })
}

function headersTooLarge(cause: unknown): GatewayError {
  const message = 'The request headers are too large for this service'
  return new GatewayError('GTW_BAD_REQUEST', 431, 'client', message, { cause })
}

export function bodyTooLarge(): GatewayError {
  return new GatewayError('GTW_BODY_TOO_LARGE', 413, 'client', 'The request body is too large', {
    headers: { connection: 'close' },
  })
}
