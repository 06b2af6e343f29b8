import type { ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { streamEvents } from './events.ts'

/** How a target answers. `flapping` is about its connections instead, see target.ts. */
export type Mode =
  | 'healthy'
  | '500s'
  | '503s'
  | '503s-retry-after'
  | 'slow'
  | 'reset'
  | 'reset-mid-body'
  | 'truncated'
  | 'stalled'
  | 'garbage'

export interface Answer {
  status: number
  body: string
  chunked: boolean
  /** The id of a request for events, which follow in place of the body. */
  eventsOf?: string
}

const slowMs = 1000
/** Between the pieces of a chunked answer. */
const pieceMs = 1
/** For the first half to be delivered: a reset throws away what is still on its way. */
const deliveredMs = 10

/** Sends what a target in this mode sends in place of the answer, once the request was read. */
export function answerAs(
  mode: Mode,
  answer: Answer,
  response: ServerResponse,
  stopping: () => boolean,
): void {
  const { socket } = response
  if (socket === null) return // closed meanwhile
  switch (mode) {
    case 'healthy':
      return void whole(answer, response, stopping)
    case '500s':
      return void whole({ status: 500, body: 'broken\n', chunked: false }, response)
    case '503s-retry-after':
      response.setHeader('retry-after', '2')
      return void whole({ status: 503, body: 'not now\n', chunked: false }, response)
    case '503s':
      return void whole({ status: 503, body: 'not now\n', chunked: false }, response)
    case 'slow':
      setTimeout(whole, slowMs, answer, response, stopping)
      return
    case 'reset':
      socket.resetAndDestroy()
      return
    case 'reset-mid-body':
      half(answer, response)
      setTimeout(() => socket.resetAndDestroy(), deliveredMs)
      return
    case 'truncated':
      half(answer, response, () => socket.end())
      return
    case 'stalled':
      half(answer, response)
      return
    case 'garbage':
      socket.end(Buffer.from(Array.from({ length: 256 }, (_, i) => (i * 167 + 129) % 256)))
  }
}

function head({ status, body, chunked }: Answer, response: ServerResponse): void {
  response.writeHead(status, {
    'content-type': 'text/plain',
    ...(chunked ? {} : { 'content-length': Buffer.byteLength(body) }),
  })
}

async function whole(answer: Answer, response: ServerResponse, stopping = () => false): Promise<void> {
  if (answer.eventsOf !== undefined) return streamEvents(answer.eventsOf, response, stopping)
  head(answer, response)
  const { body, chunked } = answer
  if (!chunked) {
    response.end(body)
    return
  }
  const third = Math.ceil(body.length / 3)
  response.write(body.slice(0, third))
  await sleep(pieceMs)
  response.write(body.slice(third, 2 * third))
  await sleep(pieceMs)
  response.end(body.slice(2 * third))
}

/** The head and the first half of the body, which is all there will be. */
function half(answer: Answer, response: ServerResponse, written?: () => void): void {
  head(answer, response)
  response.write(answer.body.slice(0, answer.body.length >> 1), written)
}
