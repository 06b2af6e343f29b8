import { Refusal } from './authenticator.ts'

/** What is looked at for credentials. A FastifyRequest is one. */
interface Carrier {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly raw: { readonly rawHeaders: readonly string[] }
}

/** How often a header was sent: Node keeps only the first of several `Authorization` headers and drops the rest in silence. */
function timesSent(rawHeaders: readonly string[], name: string): number {
  let times = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const sent = rawHeaders[i] as string
    if (sent.length === name.length && sent.toLowerCase() === name) times++
  }
  return times
}

/**
 * The value of a header that may be there once.
 * @param name in lower case
 */
export function singleHeader({ headers, raw }: Carrier, name: string): string | Refusal | undefined {
  const value = headers[name]
  if (value === undefined) return undefined
  if (typeof value !== 'string' || timesSent(raw.rawHeaders, name) > 1) {
    return new Refusal('invalid_request', 'A credential was sent more than once', `several ${name} headers`)
  }
  return value
}

/**
 * What follows the scheme in `Authorization` (RFC 9110, 11.4), or undefined if the header is not there or has another
 * scheme. More than one such header is refused, whatever their schemes.
 * @param scheme in lower case; the client's may be in any (RFC 9110, 11.1)
 */
export function authorization(carrier: Carrier, scheme: string): string | Refusal | undefined {
  const value = singleHeader(carrier, 'authorization')
  if (typeof value !== 'string') return value
  const { length } = scheme
  if (value.length < length || value.slice(0, length).toLowerCase() !== scheme) return undefined
  if (value.length === length) return ''
  if (value[length] !== ' ') return undefined
  // 1*SP between the scheme and what follows.
  let from = length
  while (value[from] === ' ') from++
  return value.slice(from)
}
