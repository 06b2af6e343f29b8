import type { Ids } from './ids.ts'
import { chosen } from './sampling.ts'
import { formatTraceparent, parseTraceparent, RANDOM, SAMPLED, type Traceparent } from './traceparent.ts'
import { parseTracestate } from './tracestate.ts'

/** A request's place in a trace. Made when it comes; all else is made when it is over, if it is recorded. */
export interface Trace {
  readonly traceId: string
  /** The gateway's own span, of the exchange as a whole. */
  readonly spanId: string
  /** The caller's span, if the caller is believed. */
  readonly parentId: string | undefined
  /** As targets are told. */
  readonly flags: number
  /** As targets are told; undefined is none. */
  readonly state: string | undefined
  /** What a caller said that is not believed: a link, and not a parent. */
  readonly link: Traceparent | undefined
}

/**
 * Goes on with the caller's trace, if there is a valid one and the caller is believed; else a new one begins.
 * @param ratio 0..1 of the new traces that are sampled; a caller that is believed has decided already
 */
export function beginTrace(
  traceparent: string | undefined,
  tracestate: string | undefined,
  believed: boolean,
  ids: Ids,
  ratio: number,
): Trace {
  const caller = traceparent === undefined ? undefined : parseTraceparent(traceparent)
  const spanId = ids.span()
  if (caller !== undefined && believed) {
    const state = tracestate === undefined ? undefined : parseTracestate(tracestate)
    return {
      traceId: caller.traceId,
      spanId,
      parentId: caller.parentId,
      flags: caller.flags,
      state,
      link: undefined,
    }
  }
  const traceId = ids.trace()
  const flags = chosen(traceId, ratio) ? RANDOM | SAMPLED : RANDOM
  return { traceId, spanId, parentId: undefined, flags, state: undefined, link: caller }
}

/**
 * Takes what the client said of its trace out of a target's headers, and puts ours in.
 * @param headers name, value, name, value
 * @param spanId the attempt's own
 */
export function writeTrace(headers: string[], { traceId, flags, state }: Trace, spanId: string): void {
  for (let i = headers.length - 2; i >= 0; i -= 2) {
    const name = headers[i]
    if (name === 'traceparent' || name === 'tracestate') headers.splice(i, 2)
  }
  headers.push('traceparent', formatTraceparent(traceId, spanId, flags))
  if (state !== undefined) headers.push('tracestate', state)
}
