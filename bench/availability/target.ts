// One target: a plain node:http server that can be told to misbehave. Run by targets.ts, one process each:
// node target.ts <port> <file for the ids of executed POSTs> <the longest that it takes to answer, in ms>
import { openSync, writeSync } from 'node:fs'
import http from 'node:http'
import type { Socket } from 'node:net'
import { answerTo, healthAnswer, healthPath, isChunked, methodOf, readPath, sentWith } from './answer.ts'
import { type Answer, answerAs, type Mode } from './modes.ts'

const port = Number(process.argv[2])
const executed = openSync(process.argv[3]!, 'a')
const longestMs = Number(process.argv[4])
const flapMs = 500

let mode: Mode | 'flapping' = 'healthy'
let flapping: NodeJS.Timeout | undefined
let stopping = false
const sockets = new Set<Socket>()

const server = http.createServer((request, response) => {
  const parts: Buffer[] = []
  request.on('data', (part: Buffer) => parts.push(part))
  request.on('end', () => {
    const says503 = mode === '503s' || mode === '503s-retry-after'
    const answer = serve(request.method ?? '', request.url ?? '', Buffer.concat(parts).toString(), !says503)
    if (stopping) response.setHeader('connection', 'close')
    const send = () => answerAs(mode === 'flapping' ? 'healthy' : mode, answer, response, () => stopping)
    if (longestMs === 0 || request.url === healthPath) send()
    else setTimeout(send, (longestMs * (1 + 5 * Math.random())) / 6)
  })
})

function serve(method: string, path: string, body: string, execute: boolean): Answer {
  if (path === healthPath) return { status: 200, body: healthAnswer, chunked: false }
  const asked = readPath(path)
  const wrong = { status: 400, body: 'this is not what the client sent', chunked: false }
  if (asked === undefined) return wrong
  const { kind, id } = asked
  if (method !== methodOf(kind) || body !== (sentWith(kind, id) ?? '')) return wrong
  // At once and to the kernel: it must outlive a SIGKILL.
  if (kind === 'orders' && execute) writeSync(executed, `${id}\n`)
  const answer = { status: 200, body: answerTo(kind, id), chunked: isChunked(kind, id) }
  return kind === 'events' ? { ...answer, eventsOf: id } : answer
}

server.on('connection', (socket) => {
  sockets.add(socket)
  socket.once('close', () => sockets.delete(socket))
})
// What a gateway sends down a connection that is being torn down is no news here.
server.on('clientError', (_error, socket) => socket.destroy())
server.on('error', (error) => {
  process.send?.({ error: error.message })
  process.exit(1)
})
// Longer than any gateway keeps a connection: who closes an idle one first is not what is measured.
server.keepAliveTimeout = 120_000

function listen(then?: () => void): void {
  server.listen(port, '127.0.0.1', then)
}

function flap(): void {
  if (server.listening) {
    server.close()
    for (const socket of sockets) socket.destroy()
  } else {
    listen()
  }
}

process.on('message', (message: { mode: Mode | 'flapping' }) => {
  mode = message.mode
  clearInterval(flapping)
  const done = () => process.send?.({ mode })
  if (mode === 'flapping') {
    flap()
    flapping = setInterval(flap, flapMs)
    done()
  } else if (server.listening) done()
  else listen(done)
})

// As a service should on a rolling restart: no new connections, finish what is here, close what is idle, go.
process.on('SIGTERM', () => {
  stopping = true
  server.close(() => process.exit(0))
  setInterval(() => server.closeIdleConnections(), 10)
})
// The terminal's Ctrl-C is the benchmark's business.
process.on('SIGINT', () => {})
process.on('disconnect', () => process.exit(0))

listen(() => process.send?.({ listening: port }))
