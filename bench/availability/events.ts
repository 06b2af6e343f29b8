import type { ServerResponse } from 'node:http'
import { eventOf } from './answer.ts'

const everyMs = 100
const atMost = 200

/** A server-sent event every 100 ms, until the client leaves, 20 s are over or the target is being stopped. */
export function streamEvents(id: string, response: ServerResponse, stopping: () => boolean): void {
  let count = 0
  const next = () => {
    response.write(eventOf(id, count++))
    if (count < atMost && !stopping()) return
    clearInterval(timer)
    response.end()
  }
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
  const timer = setInterval(next, everyMs)
  response.once('close', () => clearInterval(timer))
  next()
}
