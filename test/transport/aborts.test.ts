/** Clients and targets that leave at any point: whatever happens, nothing is left behind and nothing counts twice. */
import assert from 'node:assert/strict'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import http2 from 'node:http2'
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { type TestContext, test } from 'node:test'
import { seededDice } from '../support/dice.ts'
import { portFor } from '../support/ports.ts'
import { listen } from '../support/target.ts'
import { eventually, gatewayTo, idle } from './support.ts'

const REQUESTS = 400
const AT_ONCE = 40
const LONGEST_MS = 40
/** Of a sum of differences of clock readings. */
const ROUNDING_MS = 1e-6
const BIG = Buffer.alloc(300_000, 'x')

type Dice = () => number
const pick = <T>(dice: Dice, list: readonly T[]): T => list[Math.floor(dice() * list.length)] as T
const later = (dice: Dice, run: () => void): void => void setTimeout(run, dice() * LONGEST_MS)

/** What a target may do with a request: all of it, some of it, or none. */
function misbehave(dice: Dice, request: IncomingMessage, response: ServerResponse): void {
  request.resume().on('error', () => {})
  response.on('error', () => {})
  const cut = (): void => {
    const { stream } = response as { stream?: http2.ServerHttp2Stream }
    if (stream === undefined) response.destroy()
    else if (!stream.destroyed) stream.close(pick(dice, [0, 2, 8]))
  }
  const begin = (headers: http.OutgoingHttpHeaders): void => {
    if (!response.headersSent && !response.destroyed) response.writeHead(200, headers).write('begun')
  }
  const ways = [
    () => response.end('ok'),
    () => later(dice, () => response.end(BIG)),
    () => response.writeHead(pick(dice, [204, 304, 404, 503])).end(),
    () => later(dice, cut),
    () => {
      begin(pick(dice, [{}, { 'content-type': 'text/event-stream' }, { 'content-length': BIG.length }]))
      later(dice, cut)
    },
    () => {
      begin({ 'content-type': 'text/event-stream' })
      later(dice, () => response.end('ended'))
    },
  ]
  pick(dice, ways)()
}

function serveUpgrades(dice: Dice, server: http.Server): void {
  server.on('upgrade', (_request, socket: Duplex) => {
    socket.on('error', () => {}).resume()
    if (dice() < 0.3) socket.destroy()
    else socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: foo\r\n\r\n')
    later(dice, () => (dice() < 0.5 ? socket.end('bye') : socket.destroy()))
  })
}

/** A request that may be given up on the way; resolves when its client has done with it. */
function once(dice: Dice, port: number, session: http2.ClientHttp2Session): Promise<void> {
  const path = pick(dice, ['/one', '/two'])
  const leaves = dice() < 0.5
  const body = pick(dice, [undefined, undefined, Buffer.from('small'), BIG])
  return new Promise((resolve) => {
    const kind = pick(dice, ['http1', 'http2', 'upgrade'])
    if (kind === 'http2') {
      const stream = session.request({ ':path': path, ':method': body === undefined ? 'GET' : 'POST' })
      stream.on('error', () => {}).on('close', resolve)
      stream.resume().end(body)
      if (leaves) later(dice, () => stream.close(http2.constants.NGHTTP2_CANCEL))
    } else if (kind === 'upgrade') {
      const socket = connect(port, '127.0.0.1')
      socket.on('error', () => {}).on('close', () => resolve())
      socket.resume()
      socket.write('GET /one HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: foo\r\n\r\nearly')
      if (leaves) later(dice, () => (dice() < 0.5 ? socket.end() : socket.resetAndDestroy()))
    } else {
      const request = http.request({ port, path, agent: false, method: body === undefined ? 'GET' : 'POST' })
      request.on('error', () => {}).on('close', resolve)
      request.on('response', (response) => response.on('error', () => {}).resume())
      request.end(body)
      if (leaves) later(dice, () => request.destroy())
    }
  })
}

async function targets(t: TestContext, dice: Dice): Promise<{ one: string; two: string }> {
  const one = await listen((request, response) => misbehave(dice, request, response))
  serveUpgrades(dice, one.server)
  t.after(() => one.close())
  const sessions = new Set<http2.ServerHttp2Session>()
  const two = http2.createServer((request, response) => misbehave(dice, request as never, response as never))
  two.on('session', (session) => {
    sessions.add(session)
    session.on('error', () => {})
  })
  const port = await portFor(two as never)
  t.after(() => {
    for (const session of sessions) session.destroy()
    two.close()
  })
  return { one: one.origin, two: `http://127.0.0.1:${port}` }
}

test('after random aborts on both sides nothing is in flight, held or counted twice', async (t) => {
  const dice = seededDice(11)
  const { one, two } = await targets(t, dice)
  const upstream = {
    failover: { hedge: { after: '10ms' } },
    outlierDetection: false,
    gatherWithin: '10ms',
  }
  const open = new Set<unknown>()
  let began = 0
  let ended = 0
  const odd: string[] = []
  const gateway = await gatewayTo(t, one, {
    server: { http2: true },
    upstream,
    others: { two: { targets: [{ origin: two }], http2: true, ...upstream } },
    routes: [{ path: '/two', upstream: 'two' }],
    route: { upgrade: ['foo'] },
    use: async (app) => {
      app.onRequestStart((request) => {
        began++
        open.add(request)
      })
      app.onRequestEnd((request, _reply, { totalMs }) => {
        ended++
        if (!open.delete(request)) odd.push('a request has ended twice')
        const waited = request.exchange?.upstreamMs ?? 0
        if (!(waited >= 0 && waited <= totalMs + ROUNDING_MS)) odd.push(`${waited} of ${totalMs} ms`)
      })
    },
  })
  const session = http2.connect(gateway.url)
  session.on('error', () => {})
  t.after(() => session.destroy())
  let left = REQUESTS
  const client = async (): Promise<void> => {
    while (left-- > 0) await once(dice, gateway.port, session)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, client))
  await idle(gateway)
  await eventually(() => ended === began, `${began} began, ${ended} ended`)
  assert.ok(began > REQUESTS / 2, `${began}`)
  assert.deepEqual(odd, [])
  for (const { targets: all } of gateway.app.upstreams.upstreams.values()) {
    for (const { inflight, tunnels, waiting } of all)
      assert.deepEqual({ inflight, tunnels, waiting }, { inflight: 0, tunnels: 0, waiting: 0 })
  }
  const shown = (name: string): number => {
    let sum = 0
    const collector = gateway.app.upstreams.collectors.find((found) => found.name === name)
    collector?.collect((value) => {
      sum += value
    })
    return sum
  }
  for (const name of ['body_memory_bytes', 'tunnels_open', 'pool_queued_requests'])
    await eventually(() => shown(name) === 0, name)
})

test('a client that leaves in the middle of its body has cancelled it, and a target of HTTP/2 hears so', async (t) => {
  const server = http2.createServer()
  const port = await portFor(server as never)
  const heard: unknown[] = []
  let sessions = 0
  server.on('session', (session) => {
    sessions++
    t.after(() => session.destroy())
  })
  server.on('request', (request) => {
    request.on('error', () => {}).resume()
    request.stream.on('error', () => {}).on('aborted', () => heard.push(request.stream.rstCode))
  })
  t.after(() => server.close())
  const gateway = await gatewayTo(t, `http://127.0.0.1:${port}`, { upstream: { http2: true } })
  for (let i = 1; i <= 3; i++) {
    const request = http.request({ port: gateway.port, agent: false, method: 'POST' })
    request.on('error', () => {})
    const arrived = new Promise((resolve) => server.once('request', resolve))
    request.write(BIG)
    await arrived
    request.destroy()
    await eventually(() => heard.length === i, 'the target hears of it')
  }
  assert.deepEqual(heard, Array(3).fill(http2.constants.NGHTTP2_CANCEL))
  assert.equal(sessions, 1)
  await idle(gateway)
})
