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

/** Whether an upstream may take a header for one of these, though it is written in another way. */
export function passesFor(name: string, names: ReadonlySet<string>): boolean {
  return ODD.test(name) && names.has(conflated(name))
}

/**
 * For headers that the gateway alone says to upstreams: takes what a client says under these names, in any spelling,
 * out of a request, out of its trailers too. What its Connection header names is gone by then: the routing sees to it.
 */
export function withoutOwnHeaders(names: Iterable<string>): (raw: IncomingMessage) => void {
  const own = new Set([...names].map(conflated))
  const strip = (headers: Headers): void => {
    for (const name in headers) {
      if (own.has(name) || passesFor(name, own)) delete headers[name]
    }
  }
  return (raw) => {
    const { headers } = raw
    strip(headers)
    // Only behind a body of untold length is there room for trailers. This listener comes before those who forward.
    if (headers['transfer-encoding'] !== undefined || raw.httpVersionMajor === 2)
      raw.once('end', () => strip(raw.trailers))
  }
}
