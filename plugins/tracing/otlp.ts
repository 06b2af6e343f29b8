/** OTLP/JSON (opentelemetry-proto 1.x), as far as spans need it: ids in hexadecimal, 64-bit numbers as text. */

export type Value = string | number | boolean

/** A span, or an event or link of one, has these; undefined ones are left out. */
export type Attributes = Readonly<Record<string, Value | undefined>>

function valueText(value: Value): string {
  if (typeof value === 'string') return `{"stringValue":${JSON.stringify(value)}}`
  if (typeof value === 'boolean') return `{"boolValue":${value}}`
  return Number.isInteger(value) ? `{"intValue":"${value}"}` : `{"doubleValue":${JSON.stringify(value)}}`
}

/** @param quoted the names as JSON has them, where they are not ours and may hold anything */
function attributesText(of: Attributes, quoted: (name: string) => string = (name) => `"${name}"`): string {
  let text = ''
  for (const name in of) {
    const value = of[name]
    if (value === undefined) continue
    text += `${text === '' ? '' : ','}{"key":${quoted(name)},"value":${valueText(value)}}`
  }
  return `[${text}]`
}

/** @param milliseconds since 1970, with a fraction */
export function nanoseconds(milliseconds: number): string {
  const whole = Math.floor(milliseconds)
  return `${whole}${String(Math.floor((milliseconds - whole) * 1e6)).padStart(6, '0')}`
}

/** SpanKind. */
export const SERVER = 2
export const CLIENT = 3
/** StatusCode. */
const ERROR = 2
/** SpanFlags: it is told whether the parent is another process's; it is. */
const HAS_IS_REMOTE = 0x100
const IS_REMOTE = 0x200

export interface SpanEvent {
  readonly name: string
  /** Milliseconds since 1970. */
  readonly at: number
  readonly attributes: Attributes
}

export interface Span {
  readonly traceId: string
  readonly spanId: string
  readonly parentId: string | undefined
  /** The parent is not of this process. */
  readonly parentRemote: boolean
  readonly flags: number
  readonly state: string | undefined
  readonly name: string
  readonly kind: typeof SERVER | typeof CLIENT
  /** Milliseconds since 1970. */
  readonly from: number
  readonly to: number
  readonly attributes: Attributes
  readonly events: readonly SpanEvent[]
  readonly link: { readonly traceId: string; readonly parentId: string } | undefined
  readonly failed: boolean
}

function eventText({ name, at, attributes }: SpanEvent): string {
  return `{"timeUnixNano":"${nanoseconds(at)}","name":"${name}","attributes":${attributesText(attributes)}}`
}

/**
 * A span as JSON: what waits to be sent takes little room then, and does not hold on to a request. Put together by hand,
 * in half the time that objects for JSON.stringify would take; ids and names of attributes and events are ours.
 */
export function spanText(span: Span): string {
  const { traceId, spanId, parentId, state, link, events } = span
  const flags = span.flags | HAS_IS_REMOTE | (span.parentRemote ? IS_REMOTE : 0)
  let text = `{"traceId":"${traceId}","spanId":"${spanId}","flags":${flags},"kind":${span.kind}`
  if (parentId !== undefined) text += `,"parentSpanId":"${parentId}"`
  if (state !== undefined) text += `,"traceState":${JSON.stringify(state)}`
  text += `,"name":${JSON.stringify(span.name)},"startTimeUnixNano":"${nanoseconds(span.from)}"`
  text += `,"endTimeUnixNano":"${nanoseconds(Math.max(span.from, span.to))}"`
  text += `,"attributes":${attributesText(span.attributes)}`
  if (events.length > 0) text += `,"events":[${events.map(eventText).join(',')}]`
  if (link !== undefined) text += `,"links":[{"traceId":"${link.traceId}","spanId":"${link.parentId}"}]`
  if (span.failed) text += `,"status":{"code":${ERROR}}`
  return `${text}}`
}

/**
 * What is sent to `/v1/traces`.
 * @param resource who says so
 */
export function exportRequest(
  resource: Attributes,
  scope: { readonly name: string; readonly version: string },
): (spans: readonly string[]) => string {
  const about = attributesText(resource, JSON.stringify)
  const by = JSON.stringify(scope)
  const head = `{"resourceSpans":[{"resource":{"attributes":${about}},"scopeSpans":[{"scope":${by},"spans":[`
  return (spans) => `${head}${spans.join(',')}]}]}]}`
}

/** Spans that a collector took but did not want (ExportTracePartialSuccess), by its answer's body. */
export function rejectedSpans(body: string): number {
  try {
    const { partialSuccess } = JSON.parse(body) as { partialSuccess?: { rejectedSpans?: string | number } }
    const count = Number(partialSuccess?.rejectedSpans ?? 0)
    return Number.isInteger(count) && count > 0 ? count : 0
  } catch {
    // Protobuf, or nothing: it took them all.
    return 0
  }
}
