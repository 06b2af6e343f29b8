import http from 'node:http'
import https from 'node:https'

/** More than any set of keys has. */
const LARGEST = 512 * 1024

/**
 * Fetches a JSON document. HTTPS is verified. Redirects are not followed: the config says where keys come from, and not
 * the other side.
 * @param ca PEM text of the authorities that are trusted instead of the system's
 * @param timeoutMs for all of it
 */
export function fetchJson(
  url: URL,
  { ca, timeoutMs, signal }: { ca?: string | undefined; timeoutMs: number; signal: AbortSignal },
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const options = {
      // A connection of its own: one that was kept idle may have died unnoticed.
      agent: false as const,
      headers: { accept: 'application/json', 'user-agent': 'holdfast' },
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    }
    const fail = (error: Error & { cause?: Error }): void => {
      const slow = error.cause?.name === 'TimeoutError'
      reject(slow ? new Error(`no answer from ${url.host} within ${timeoutMs} ms`) : error)
    }
    const request =
      url.protocol === 'https:'
        ? https.get(url, { ...options, ...(ca === undefined ? {} : { ca }) })
        : http.get(url, options)
    request.on('error', fail)
    request.on('response', (response) => {
      response.on('error', fail)
      if (response.statusCode !== 200) {
        request.destroy()
        reject(new Error(`${url.host} answered ${response.statusCode}`))
        return
      }
      const chunks: Buffer[] = []
      let length = 0
      response.on('data', (chunk: Buffer) => {
        length += chunk.length
        chunks.push(chunk)
        if (length <= LARGEST) return
        request.destroy()
        reject(new Error(`${url.host} answered with more than ${LARGEST} bytes`))
      })
      response.on('end', () => {
        try {
          resolve(JSON.parse(Buffer.concat(chunks).toString('utf8')))
        } catch {
          reject(new Error(`${url.host} did not answer with JSON`))
        }
      })
    })
  })
}
