import { CONNECTION_HEADERS } from '../config/connection-headers.ts'

/** Between the client and us; what becomes of them is a matter of the protocol and not of these names. */
const OF_PROTOCOL: ReadonlySet<string> = new Set([...CONNECTION_HEADERS, 'close', 'http2-settings'])

/** Who asks for what, and in which frame: a proxy before us may have said these, and no client takes them back. */
const NEVER =
  /^(?:authorization|content-(?:encoding|length|type)|cookie|forwarded|host|via|x-forwarded-.*|x-real-ip|x-request-id)$/

interface Received {
  readonly headers: Record<string, string | string[] | undefined>
  readonly rawHeaders: string[]
}

/**
 * Takes out what a request's Connection header names: that was for us only (RFC 9110, 7.6.1). It is done before anybody
 * looks at the request, so that what guards judge, or a signature covers, is what is sent on.
 * @returns a name that Connection must not have; then nothing is taken out
 */
export function takeConnectionNames({ headers, rawHeaders }: Received): string | undefined {
  const { connection } = headers
  if (connection === undefined || connection === 'keep-alive' || connection === 'close') return undefined
  const names = String(connection)
    .split(',')
    .map((name) => name.trim())
  const dropped = new Set(names.map((name) => name.toLowerCase()).filter((name) => !OF_PROTOCOL.has(name)))
  const wrong = [...dropped].find((name) => NEVER.test(name))
  if (wrong !== undefined || dropped.size === 0) return wrong
  for (const name of dropped) delete headers[name]
  for (let i = rawHeaders.length - 2; i >= 0; i -= 2) {
    if (dropped.has((rawHeaders[i] as string).toLowerCase())) rawHeaders.splice(i, 2)
  }
  const kept = names.filter((name) => !dropped.has(name.toLowerCase()))
  if (kept.length === 0) delete headers.connection
  else headers.connection = kept.join(', ')
  return undefined
}
