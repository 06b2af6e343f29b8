import http from 'node:http'

const withinMs = 10_000

export interface Told {
  status: number
  text: string
}

export function get(port: number, path: string): Promise<Told> {
  return ask(port, 'GET', path)
}

/** One request on a connection of its own, which leaves none behind. */
export function ask(port: number, method: string, path: string, body?: object): Promise<Told> {
  const text = body === undefined ? undefined : JSON.stringify(body)
  const headers =
    text === undefined ? {} : { 'content-type': 'application/json', 'content-length': text.length }
  return new Promise((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', port, method, path, headers, agent: false })
    request.setTimeout(withinMs, () => request.destroy(new Error(`${method} ${path}: no answer`)))
    request.on('error', reject)
    request.on('response', (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part
      })
      response.on('error', reject)
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
    })
    request.end(text)
  })
}
