import type { IncomingMessage } from 'node:http'

type Headers = Record<string, string | string[] | undefined>

const ODD = /[^a-z0-9-]/
const EVERY_ODD = /[^a-z0-9-]/g

/**
 * A name as CGI, WSGI, PHP and their like see it: they make one variable of `x-user`, `x_user` and `x.user`.
 * @param name in any case
 */
export function conflated(name: string): string {
  return name.toLowerCase().replace(EVERY_ODD, '-')
}

/** Whether CGI and its like see another name than this, which is lower-case. */
export function isOdd(name: string): boolean {
  return ODD.test(name)
}

/** Whether an upstream may take a header for one of these, though it is written in another way. */
export function passesFor(name: string, names: ReadonlySet<string>): boolean {
  return ODD.test(name) && names.has(conflated(name))
}

/** Takes out of what a request announces behind its body what will be taken out there. */
function announceOthers(headers: IncomingMessage['headers'], isOwn: (name: string) => boolean): void {
  const names = String(headers.trailer).split(',')
  const others = names.filter((name) => !isOwn(name.trim().toLowerCase()))
  if (others.length === 0) delete headers.trailer
  else if (others.length < names.length) headers.trailer = others.join(',').trim()
}

/**
 * For headers that the gateway alone says to upstreams: takes what a client says under these names, in any spelling,
 * out of a request, out of its trailers too. What its Connection header names is gone by then: the routing sees to it.
 */
export function withoutOwnHeaders(names: Iterable<string>): (raw: IncomingMessage) => void {
  const own = new Set([...names].map(conflated))
  const isOwn = (name: string): boolean => own.has(name) || passesFor(name, own)
  const strip = (headers: Headers): void => {
    for (const name in headers) if (isOwn(name)) delete headers[name]
  }
  return (raw) => {
    const { headers } = raw
    strip(headers)
    if (headers.trailer !== undefined) announceOthers(headers, isOwn)
    // Only behind a body of untold length is there room for trailers. This listener comes before those who forward.
    if (headers['transfer-encoding'] !== undefined || raw.httpVersionMajor === 2)
      raw.once('end', () => strip(raw.trailers))
  }
}
