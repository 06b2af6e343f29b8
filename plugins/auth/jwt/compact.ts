import { algorithmOf } from './options.ts'
import { parseObject } from './strict-json.ts'

/** A token's parts, read but not verified: nothing in it is to be believed yet. */
export interface UnverifiedToken {
  /** By the name that it has here. */
  readonly alg: string
  readonly kid: string | undefined
  readonly typ: string | undefined
  readonly claims: Readonly<Record<string, unknown>>
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** What the part says, or undefined unless it is the one way of saying it (RFC 7515, 2: no padding, no blanks). */
function decode(part: string): Buffer | undefined {
  const bytes = Buffer.from(part, 'base64url')
  // Refuses other characters, padding, and spare bits in the last character: the same bytes have a single spelling.
  return bytes.length > 0 && bytes.toString('base64url') === part ? bytes : undefined
}

function decodeObject(part: string): Readonly<Record<string, unknown>> | string {
  const bytes = decode(part)
  if (bytes === undefined) return 'is not base64url'
  let text: string
  try {
    text = utf8.decode(bytes)
  } catch {
    return 'is not UTF-8'
  }
  return parseObject(text)
}

function own(header: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(header, name) ? header[name] : undefined
}

/**
 * Reads the compact form of a JWS (RFC 7515, 7.1) that is a JWT, or says why it is none. Stricter than the RFC:
 * extensions (`crit`, RFC 7515, 4.1.11; `b64`, RFC 7797) are refused even where they are not critical. Where a key is
 * to be had (`jku`, `jwk`, `x5u`, `x5c`) is not read at all: keys come from the config and from nowhere else.
 * @param token no longer than `tokenLimit`
 */
export function parseCompact(token: string): UnverifiedToken | string {
  const first = token.indexOf('.')
  const second = token.indexOf('.', first + 1)
  if (first === -1 || second === -1 || token.includes('.', second + 1)) return 'has not three parts'
  const header = decodeObject(token.slice(0, first))
  if (typeof header === 'string') return `header ${header}`
  const alg = own(header, 'alg')
  const kid = own(header, 'kid')
  const typ = own(header, 'typ')
  if (typeof alg !== 'string') return 'header has no alg'
  if (kid !== undefined && typeof kid !== 'string') return 'header has a kid that is no text'
  if (typ !== undefined && typeof typ !== 'string') return 'header has a typ that is no text'
  if (Object.hasOwn(header, 'crit')) return 'header has crit'
  if (Object.hasOwn(header, 'b64')) return 'header has b64'
  const claims = decodeObject(token.slice(first + 1, second))
  if (typeof claims === 'string') return `payload ${claims}`
  if (decode(token.slice(second + 1)) === undefined) return 'signature is not base64url'
  return { alg: algorithmOf(alg), kid, typ, claims }
}
