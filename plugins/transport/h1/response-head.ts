import { lengthOf, TEXT } from './characters.ts'
import { malformed } from './errors.ts'
import { type FieldNames, readFields } from './fields.ts'
import type { ResponseHeaders } from './types.ts'

/** `left` of a body that is in chunks, and of one that ends with the connection. */
export const CHUNKED = -1
export const UNTIL_CLOSE = -2

/** A response head, and what it says of the bytes behind it. */
export interface ResponseHead {
  readonly status: number
  readonly headers: ResponseHeaders
  /** Bytes of the body, or CHUNKED, or UNTIL_CLOSE. */
  readonly left: number
  /** The connection may serve another request after this one. */
  readonly keepAlive: boolean
  /** Seconds that the target keeps an idle connection, or -1. */
  readonly keepAliveSeconds: number
}

/**
 * Whether `bytes` from `start` on may yet become a head of HTTP/1.x: what is something else is told at once,
 * though its end is never found.
 */
export function mayBeHead(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = 0; i < 7 && start + i < end; i++)
    if (bytes[start + i] !== 'HTTP/1.'.charCodeAt(i)) return false
  return true
}

/**
 * Reads a whole head, its empty line included.
 * @param bodyless the answer of a HEAD
 */
export function readHead(
  names: FieldNames,
  bytes: Buffer,
  start: number,
  end: number,
  bodyless: boolean,
): ResponseHead {
  const text = bytes.toString('latin1', start, end)
  if (!text.startsWith('HTTP/1.')) throw malformed('CONSTANT', 'expected HTTP/1.x')
  const minor = (bytes[start + 7] as number) - 48
  if ((minor !== 0 && minor !== 1) || bytes[start + 8] !== 32) throw malformed('VERSION', 'invalid version')
  const status = readStatus(bytes, start + 9)
  let at = start + 12
  // The reason may be empty, and some leave out the space before it as well.
  if (bytes[at] === 32) while (TEXT[bytes[at] as number] === 1) at++
  if (bytes[at] !== 13 || bytes[at + 1] !== 10) throw malformed('STATUS', 'invalid status line')
  const headers = readFields(names, bytes, text, start, at + 2, end - 2)

  const length = readLength(headers)
  const chunked = readChunked(headers, minor, length)
  const persistent = readPersistent(headers, minor)
  const seconds = persistent ? readSeconds(headers['keep-alive']) : -1
  if (status < 200) {
    if (chunked || length > 0) throw malformed('INFORMATIONAL', 'a body with a 1xx')
    return { status, headers, left: 0, keepAlive: persistent, keepAliveSeconds: seconds }
  }
  if (bodyless) return { status, headers, left: 0, keepAlive: persistent, keepAliveSeconds: seconds }
  if (status === 204 || status === 304) {
    // A target that announces a body here may also send it, and it would pass for the next answer.
    const keepAlive = persistent && !chunked && length <= 0
    return { status, headers, left: 0, keepAlive, keepAliveSeconds: seconds }
  }
  const left = chunked ? CHUNKED : length === -1 ? UNTIL_CLOSE : length
  return { status, headers, left, keepAlive: persistent && left !== UNTIL_CLOSE, keepAliveSeconds: seconds }
}

function readStatus(bytes: Buffer, at: number): number {
  let status = 0
  for (let i = 0; i < 3; i++) {
    const digit = (bytes[at + i] as number) - 48
    if (!(digit >= 0 && digit <= 9)) throw malformed('STATUS', 'invalid status')
    status = status * 10 + digit
  }
  if (status < 100) throw malformed('STATUS', 'invalid status')
  // Nobody asked for another protocol.
  if (status === 101) throw malformed('UPGRADE', 'an upgrade that was not asked for')
  return status
}

/** Content-Length, or -1. Repeated with one value it is one header; else the framing is anyone's guess. */
function readLength(headers: ResponseHeaders): number {
  let value = headers['content-length']
  if (value === undefined) return -1
  if (typeof value !== 'string') {
    const [first, ...more] = value as [string, ...string[]]
    if (more.some((other) => other !== first)) throw malformed('CONTENT_LENGTH', 'several lengths')
    headers['content-length'] = first
    value = first
  }
  const length = lengthOf(value)
  if (length === -1) throw malformed('CONTENT_LENGTH', 'invalid length')
  return length
}

function readChunked(headers: ResponseHeaders, minor: number, length: number): boolean {
  const coding = headers['transfer-encoding']
  if (coding === undefined) return false
  if (typeof coding !== 'string' || coding.toLowerCase() !== 'chunked') {
    throw malformed('TRANSFER_ENCODING', 'a transfer coding other than chunked')
  }
  if (length !== -1) throw malformed('TRANSFER_ENCODING', 'both a transfer coding and a length')
  if (minor === 0) throw malformed('TRANSFER_ENCODING', 'a transfer coding in HTTP/1.0')
  return true
}

function readPersistent(headers: ResponseHeaders, minor: number): boolean {
  const value = headers.connection
  if (value === undefined) return minor === 1
  if (value === 'keep-alive') return true
  if (value === 'close') return false
  const options = String(value)
    .toLowerCase()
    .split(',')
    .map((option) => option.trim())
  return !options.includes('close') && (minor === 1 || options.includes('keep-alive'))
}

function readSeconds(value: string | string[] | undefined): number {
  if (value === undefined) return -1
  const seconds = /(?:^|[\s,;])timeout\s*=\s*"?(\d{1,9})/i.exec(String(value))?.[1]
  return seconds === undefined ? -1 : Number(seconds)
}
