// The least that a Node proxy can do: node:http in front, undici's dispatch behind, the answer gathered.
import {
  createServer,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerResponse,
} from 'node:http'
import { type Dispatcher, Pool } from 'undici'
import { addForwardedFor, origins, port } from './environment.ts'

const pools = origins.map((origin) => new Pool(origin))
let turn = 0

createServer((request, response) => {
  const headers = withoutHopByHop({ ...request.headers })
  addForwardedFor(headers, request.socket.remoteAddress ?? '')
  const hasBody =
    request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined
  turn = (turn + 1) % pools.length
  pools[turn]!.dispatch(
    {
      method: (request.method ?? 'GET') as Dispatcher.HttpMethod,
      path: request.url ?? '/',
      headers,
      body: hasBody ? request : null,
    },
    gatherInto(response),
  )
}).listen(port, '127.0.0.1')

function gatherInto(response: ServerResponse): Dispatcher.DispatchHandler {
  const chunks: Buffer[] = []
  let status = 0
  let answerHeaders: IncomingHttpHeaders = {}
  return {
    onRequestStart() {},
    onResponseStart(_controller, statusCode, headers) {
      status = statusCode
      answerHeaders = headers
    },
    onResponseData(_controller, chunk) {
      chunks.push(chunk)
    },
    onResponseEnd() {
      response.writeHead(status, withoutHopByHop(answerHeaders) as OutgoingHttpHeaders)
      response.end(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks))
    },
    onResponseError() {
      if (response.headersSent) response.destroy()
      else response.writeHead(502).end()
    },
  }
}

function withoutHopByHop(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  delete headers.connection
  delete headers['keep-alive']
  delete headers['transfer-encoding']
  delete headers.upgrade
  delete headers.expect
  return headers
}
