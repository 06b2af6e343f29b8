import type { IncomingMessage, ServerResponse } from 'node:http'

/** A name or address as a Host header may have it, without the port. */
const HOST = /^(\[[0-9a-f:.]+\]|[a-z0-9](?:[a-z0-9._-]*[a-z0-9.])?)(?::\d{1,5})?$/i

/** Sends whoever comes to the same place under `https:`. The method and the body are kept by a 308. */
export function redirectToHttps(port: number): (request: IncomingMessage, response: ServerResponse) => void {
  const suffix = port === 443 ? '' : `:${port}`
  return ({ headers, url = '/' }, response) => {
    const authority = headers.host ?? (headers[':authority'] as string | undefined) ?? ''
    const host = HOST.exec(authority)?.[1]
    // Whatever is no plain path of ours would say something else behind the scheme and host.
    if (host === undefined || !url.startsWith('/')) {
      const detail = 'The request names no host or no path'
      response.writeHead(400, { 'content-type': 'application/problem+json', connection: 'close' })
      response.end(
        JSON.stringify({
          type: 'about:blank',
          title: 'Bad Request',
          status: 400,
          detail,
          code: 'GTW_BAD_REQUEST',
        }),
      )
      return
    }
    response.writeHead(308, { location: `https://${host}${suffix}${url}`, 'content-length': '0' })
    response.end()
  }
}
