/**
 * The two messages of grpc.health.v1.Health/Check, by hand: they are a field each, and no reason for a library.
 * https://github.com/grpc/grpc/blob/master/doc/health-checking.md
 */

/** Before each message: whether it is compressed, and its length. */
const PREFIX_BYTES = 5
/** Tag of field 1 as a length-delimited one (wire type 2). */
const SERVICE_TAG = 0x0a
/** A varint of more bytes is no 64-bit number. */
const LONGEST_VARINT = 10

const STATUSES = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN']

/** HealthCheckRequest { string service = 1 }, framed. */
export function encodeRequest(service: string): Uint8Array {
  const name = new TextEncoder().encode(service)
  // proto3 leaves out what has its default value.
  const message = name.length === 0 ? [] : [SERVICE_TAG, ...varint(name.length), ...name]
  const frame = new Uint8Array(PREFIX_BYTES + message.length)
  new DataView(frame.buffer).setUint32(1, message.length)
  frame.set(message, PREFIX_BYTES)
  return frame
}

/**
 * The status in a framed HealthCheckResponse { ServingStatus status = 1 }: 'SERVING' or what it is instead.
 * Undefined if it is not one whole uncompressed message.
 */
export function decodeResponse(frame: Uint8Array): string | undefined {
  if (frame.length < PREFIX_BYTES || frame[0] !== 0) return undefined
  const length = new DataView(frame.buffer, frame.byteOffset).getUint32(1)
  if (frame.length !== PREFIX_BYTES + length) return undefined
  const status = statusIn(frame.subarray(PREFIX_BYTES))
  return status === undefined ? undefined : (STATUSES[status] ?? `status ${status}`)
}

function varint(value: number): number[] {
  const bytes: number[] = []
  let rest = value
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80)
  return [...bytes, rest]
}

/** Value of field 1, 0 where it is left out; undefined if these bytes are no message. */
function statusIn(message: Uint8Array): number | undefined {
  let at = 0
  let status = 0
  const readVarint = (): number | undefined => {
    let value = 0
    for (let i = 0; i < LONGEST_VARINT; i++) {
      const byte = message[at++]
      if (byte === undefined) return undefined
      value += (byte & 0x7f) * 2 ** (7 * i)
      if (byte < 0x80) return value
    }
    return undefined
  }
  while (at < message.length) {
    const tag = readVarint()
    if (tag === undefined || tag < 8) return undefined
    const type = tag % 8
    if (type === 0) {
      const value = readVarint()
      if (value === undefined) return undefined
      if (tag === 8) status = value
    } else if (type === 2) {
      const length = readVarint()
      if (length === undefined) return undefined
      at += length
    } else if (type === 1 || type === 5) {
      at += type === 1 ? 8 : 4
    } else return undefined
  }
  return at === message.length ? status : undefined
}
