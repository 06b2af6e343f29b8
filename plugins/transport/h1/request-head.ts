import { isTarget, isText, isToken, lengthOf } from './characters.ts'
import { H1Error, invalidArgument } from './errors.ts'
import type { H1RequestOptions } from './types.ts'

/** What a request header is to us. */
const PLAIN = 0
const HOST = 1
const LENGTH = 2
const REFUSED = 3

/** Names that would change the framing or the connection. */
const SPECIAL: ReadonlyMap<string, number> = new Map([
  ['host', HOST],
  ['content-length', LENGTH],
  ['connection', REFUSED],
  ['expect', REFUSED],
  ['keep-alive', REFUSED],
  ['transfer-encoding', REFUSED],
  ['upgrade', REFUSED],
])

const KEPT_NAMES = 512
const LONGEST_KEPT = 64
const EXPECTS_BODY = new Set(['POST', 'PUT', 'PATCH'])
const PLAIN_METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])

/** Writes request heads. It remembers the names that it has checked. */
export class RequestHeads {
  readonly #kinds = new Map<string, number>()

  /**
   * The head up to and with the empty line, for latin1. It says the length of a Buffer, and of a stream what
   * the caller says or that it is chunked: what a target takes for the body is exactly what we send as one.
   * @throws H1Error
   */
  write({ method, path, headers, body }: H1RequestOptions): string {
    if (!PLAIN_METHODS.has(method) && !isToken(method)) throw invalidArgument('invalid method')
    if (method === 'CONNECT') throw new H1Error('UND_ERR_NOT_SUPPORTED', 'CONNECT is not supported')
    if (!isTarget(path)) throw invalidArgument('invalid path')
    let head = `${method} ${path} HTTP/1.1\r\n`
    let hosts = 0
    let length = -1
    for (let i = 0; i < headers.length; i += 2) {
      const name = headers[i] as string
      const value = headers[i + 1]
      const kind = this.#kinds.get(name) ?? this.#kind(name)
      if (typeof value !== 'string' || !isText(value)) throw invalidArgument(`invalid ${name} header`)
      if (kind === LENGTH) {
        if (length !== -1) throw invalidArgument('several content-length headers')
        length = lengthOf(value)
        if (length === -1) throw invalidArgument('invalid content-length header')
        // As everybody reads it, whatever zeros it came with.
        head += `${name}: ${length}\r\n`
        continue
      }
      if (kind === HOST) hosts++
      head += `${name}: ${value}\r\n`
    }
    if (hosts !== 1) throw invalidArgument('a request has exactly one host header')
    return `${head}connection: keep-alive\r\n${framing(method, body, length)}\r\n`
  }

  #kind(name: string): number {
    if (!isToken(name)) throw invalidArgument('invalid header name')
    const kind = SPECIAL.get(name.toLowerCase()) ?? PLAIN
    if (kind === REFUSED) throw invalidArgument(`invalid ${name.toLowerCase()} header`)
    if (name.length <= LONGEST_KEPT && this.#kinds.size < KEPT_NAMES) this.#kinds.set(name, kind)
    return kind
  }
}

/** The header line that the caller left out, if one is needed. */
function framing(method: string, body: H1RequestOptions['body'], length: number): string {
  if (body !== null && !Buffer.isBuffer(body)) return length === -1 ? 'transfer-encoding: chunked\r\n' : ''
  const size = body === null ? 0 : body.length
  if (length !== -1) {
    if (length !== size) throw invalidArgument('the content-length header is not the length of the body')
    return ''
  }
  return size > 0 || EXPECTS_BODY.has(method) ? `content-length: ${size}\r\n` : ''
}

/** The length that the headers of a valid request give, or -1. */
export function declaredLength(headers: readonly string[]): number {
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string
    if (name.length === 14 && name.toLowerCase() === 'content-length')
      return lengthOf(headers[i + 1] as string)
  }
  return -1
}
