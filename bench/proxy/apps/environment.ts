import type { IncomingHttpHeaders } from 'node:http'

export const port = Number(process.env.BENCH_PORT)
export const origins = (process.env.BENCH_TARGETS ?? '')
  .split(',')
  .map((target) => `http://127.0.0.1:${target}`)

/** What every proxy of the comparison does to a request: the client's address is appended. */
export function addForwardedFor(headers: IncomingHttpHeaders, address: string): IncomingHttpHeaders {
  const before = headers['x-forwarded-for']
  headers['x-forwarded-for'] = before === undefined ? address : `${before}, ${address}`
  return headers
}

let turn = 0

/** Round robin. */
export function nextOrigin(): string {
  turn = (turn + 1) % origins.length
  return origins[turn]!
}
