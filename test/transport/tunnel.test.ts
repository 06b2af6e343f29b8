import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { WebSocket, WebSocketServer } from 'ws'
import { startGateway } from '../support/gateway.ts'
import { portFor } from '../support/ports.ts'
import { deadOrigin } from '../support/target.ts'

interface WsTarget {
  readonly origin: string
  readonly server: WebSocketServer
  readonly requests: http.IncomingMessage[]
}

/** A WebSocket target that echoes, unless `serve` does something else with the connection. */
async function wsTarget(
  t: TestContext,
  serve = (socket: WebSocket): void => {
    socket.on('message', (data, binary) => socket.send(data, { binary }))
  },
): Promise<WsTarget> {
  const requests: http.IncomingMessage[] = []
  const server = new WebSocketServer({
    port: 0,
    host: '127.0.0.1',
    handleProtocols: (offered) => [...offered].at(-1) ?? false,
  })
  server.on('connection', (socket, request) => {
    requests.push(request)
    serve(socket)
  })
  await once(server, 'listening')
  t.after(() => {
    for (const client of server.clients) client.terminate()
    server.close()
  })
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server, requests }
}

/** A target that is handed its connections as they are. */
async function rawTarget(t: TestContext, serve: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket.on('error', () => {}).on('close', () => sockets.delete(socket)))
    serve(socket)
  })
  const port = await portFor(server)
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return `http://127.0.0.1:${port}`
}

type Extra = { server?: object; upstream?: object; route?: object }

async function gateway(
  t: TestContext,
  origins: readonly string[],
  { server = {}, upstream = {}, route = {} }: Extra = {},
  options: Parameters<typeof startGateway>[1] = {},
) {
  const started = await startGateway(
    {
      server,
      upstreams: {
        ws: { targets: origins.map((origin) => ({ origin })), loadBalancing: 'round-robin', ...upstream },
      },
      routes: [{ path: '/*', upstream: 'ws', ...route }],
    } as object,
    options,
  )
  // Not waited for: it lingers for what is still on its way to clients, and the process ends no sooner.
  t.after(() => void started.app.close())
  return { ...started, ws: started.url.replace('http', 'ws') }
}

const inflight = (app: FastifyInstance): number =>
  app.upstreams.upstream('ws').targets.reduce((sum, target) => sum + target.inflight, 0)

async function until(holds: () => boolean, what: string): Promise<void> {
  for (let i = 0; i < 400; i++) {
    if (holds()) return
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  assert.fail(`never came true: ${what}`)
}

async function opened(url: string, protocols: string[] = [], options: object = {}): Promise<WebSocket> {
  const socket = new WebSocket(url, protocols, options)
  await once(socket, 'open')
  return socket
}

async function message(socket: WebSocket): Promise<{ data: Buffer; binary: boolean }> {
  const [data, binary] = await once(socket, 'message')
  return { data: data as Buffer, binary: binary as boolean }
}

/** Sends an upgrade by hand and returns the socket. */
function upgradeBy(port: number, { path = '/', protocol = 'websocket', more = '', rest = '' } = {}): Socket {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  socket.on('error', () => {})
  socket.write(
    `GET ${path} HTTP/1.1\r\nhost: a\r\nconnection: Upgrade\r\nupgrade: ${protocol}\r\n${more}\r\n${rest}`,
  )
  return socket
}

async function untilText(socket: Socket, wanted: string): Promise<string> {
  let received = ''
  for await (const [chunk] of (await import('node:events')).on(socket, 'data', { close: ['close'] })) {
    received += (chunk as Buffer).toString('latin1')
    if (received.includes(wanted)) break
  }
  return received
}

test('text, binary, large and fragmented messages are echoed, with pings and a subprotocol', async (t) => {
  const target = await wsTarget(t)
  const { app, ws } = await gateway(t, [target.origin])
  const client = await opened(`${ws}/chat?room=1`, ['one', 'two'], { headers: { authorization: 'Bearer x' } })
  assert.equal(client.protocol, 'two')
  assert.equal(inflight(app), 1)

  client.send('grüße')
  const first = await message(client)
  assert.equal(first.data.toString(), 'grüße')
  assert.equal(first.binary, false)

  const large = Buffer.alloc(1024 * 1024, 7)
  client.send(large)
  const second = await message(client)
  assert.ok(second.binary && second.data.equals(large))

  client.send('one ', { fin: false })
  client.send('two ', { fin: false })
  client.send('three', { fin: true })
  assert.equal((await message(client)).data.toString(), 'one two three')

  client.ping('are you there')
  const [pong] = await once(client, 'pong')
  assert.equal(String(pong), 'are you there')

  const seen = target.requests[0] as http.IncomingMessage
  assert.equal(seen.url, '/chat?room=1')
  assert.equal(seen.headers.authorization, 'Bearer x')
  assert.equal(seen.headers['x-forwarded-for'], '127.0.0.1')
  assert.equal(seen.headers['x-forwarded-proto'], 'http')
  assert.equal(seen.headers.host, ws.slice(5))

  client.close(4001, 'enough')
  const [code, reason] = await once(client, 'close')
  assert.equal(code, 4001)
  assert.equal(String(reason), 'enough')
  await until(() => inflight(app) === 0, 'nothing in flight')
})

test("the target's close code reaches the client", async (t) => {
  const target = await wsTarget(t, (socket) => socket.close(4002, 'go away'))
  const { app, ws } = await gateway(t, [target.origin])
  const client = new WebSocket(ws)
  const [code, reason] = await once(client, 'close')
  assert.equal(code, 4002)
  assert.equal(String(reason), 'go away')
  await until(() => inflight(app) === 0, 'nothing in flight')
})

test('tunnels are balanced over the targets', async (t) => {
  const targets = [await wsTarget(t), await wsTarget(t), await wsTarget(t)]
  const { ws } = await gateway(
    t,
    targets.map(({ origin }) => origin),
  )
  const clients = await Promise.all([1, 2, 3, 4, 5, 6].map(() => opened(ws)))
  assert.deepEqual(
    targets.map(({ server }) => server.clients.size),
    [2, 2, 2],
  )
  for (const client of clients) client.terminate()
})

test('a killed target takes the client with it, and a killed client the target', async (t) => {
  const target = await wsTarget(t)
  const { app, ws } = await gateway(t, [target.origin])
  const client = await opened(ws)
  for (const socket of target.server.clients) socket.terminate()
  const [code] = await once(client, 'close')
  assert.equal(code, 1006)
  await until(() => inflight(app) === 0, 'nothing in flight')

  const second = await opened(ws)
  const [atTarget] = [...target.server.clients] as [WebSocket]
  const gone = once(atTarget, 'close')
  second.terminate()
  await gone
  await until(() => inflight(app) === 0, 'nothing in flight')
})

for (const status of [401, 404, 503]) {
  test(`a target's ${status} is relayed as it is, then the connection closes`, async (t) => {
    const origin = await rawTarget(t, (socket) =>
      socket.once('data', () =>
        socket.end(
          `HTTP/1.1 ${status} No\r\nwww-authenticate: Basic\r\nX-Own: 1\r\ncontent-length: 4\r\n\r\nno!\n`,
        ),
      ),
    )
    const { app, port } = await gateway(t, [origin], {
      route: { responseHeaders: { set: { 'x-edited': 'yes' } } },
    })
    const answer = await text(upgradeBy(port, { rest: 'early bytes' }))
    assert.match(answer, new RegExp(`^HTTP/1.1 ${status} `))
    assert.match(answer, /www-authenticate: Basic/)
    assert.match(answer, /x-edited: yes/)
    assert.match(answer, /no!\n$/)
    await until(() => inflight(app) === 0, 'nothing in flight')
  })
}

test('a long refusal is relayed whole', async (t) => {
  const body = 'x'.repeat(3 * 1024 * 1024)
  const origin = await rawTarget(t, (socket) =>
    socket.once('data', () => socket.end(`HTTP/1.1 403 No\r\nconnection: close\r\n\r\n${body}`)),
  )
  const { app, port } = await gateway(t, [origin])
  const answer = await text(upgradeBy(port))
  assert.equal(answer.slice(answer.indexOf('\r\n\r\n')).match(/x/g)?.length, body.length)
  assert.match(answer.slice(-10), /0\r\n\r\n$/)
  await until(() => inflight(app) === 0, 'nothing in flight')
})

test('a raw protocol: early bytes of both sides, own spelling, half-close', async (t) => {
  const origin = await rawTarget(t, (socket) => {
    let received = ''
    socket.on('data', (chunk) => {
      const before = received
      received += chunk
      if (!before.includes('\r\n\r\n') && received.includes('\r\n\r\n'))
        socket.write(
          'HTTP/1.1 101 Sure Thing\r\nUPGRADE: Chatter\r\nconnection: UpGrade\r\nX-MiXeD: 1\r\n\r\nhello',
        )
    })
    // Only once the client has said all does this target answer: the other direction is still open.
    socket.on('end', () => socket.end(`got ${received.split('\r\n\r\n')[1]}`))
  })
  const { app, port } = await gateway(t, [origin], { route: { upgrade: ['CHATTER'] } })
  const socket = upgradeBy(port, { protocol: 'chatter', rest: 'early' })
  const head = await untilText(socket, 'hello')
  assert.match(head, /^HTTP\/1\.1 101 Sure Thing\r\n/)
  assert.match(head, /\r\nUPGRADE: Chatter\r\nconnection: UpGrade\r\nX-MiXeD: 1\r\n/)
  assert.doesNotMatch(head, /\r\n(date|keep-alive|content-length|transfer-encoding):/i)
  socket.end(' and late')
  assert.equal(await text(socket), 'got early and late')
  await until(() => inflight(app) === 0, 'nothing in flight')
})

test('what is sent right before the end arrives, however slow the reader', async (t) => {
  const size = 8 * 1024 * 1024
  const origin = await rawTarget(t, (socket) =>
    socket.once('data', () => {
      socket.write('HTTP/1.1 101 OK\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n')
      socket.end(Buffer.alloc(size, 97))
    }),
  )
  const { port } = await gateway(t, [origin])
  const socket = upgradeBy(port)
  let received = 0
  for await (const chunk of socket) {
    received += (chunk as Buffer).length
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.ok(received > size, `${received} bytes`)
})

test('a reader that stops stops the writer too', async (t) => {
  let written = 0
  const origin = await rawTarget(t, (socket) =>
    socket.once('data', () => {
      socket.write('HTTP/1.1 101 OK\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n')
      const piece = Buffer.alloc(256 * 1024)
      const pump = (): void => {
        while (!socket.destroyed && written < 512 * 1024 * 1024) {
          written += piece.length
          if (!socket.write(piece)) return
        }
      }
      socket.on('drain', pump)
      pump()
    }),
  )
  const { port } = await gateway(t, [origin])
  const socket = upgradeBy(port)
  await once(socket, 'readable')
  let before = -1
  while (before !== written) {
    before = written
    await new Promise((resolve) => setTimeout(resolve, 150))
  }
  assert.ok(written < 64 * 1024 * 1024, `${written} bytes were taken in`)
  socket.destroy()
})

test('an idle tunnel outlives the time-outs of the listener and of the upstream', async (t) => {
  const target = await wsTarget(t)
  const { ws } = await gateway(t, [target.origin], {
    server: { headersTimeout: 300, requestTimeout: 300, idleTimeout: 300, keepAliveTimeout: 300 },
    upstream: { timeouts: { connect: 300, response: 300, idle: 300, keepAlive: 300 } },
  })
  const client = await opened(ws)
  await new Promise((resolve) => setTimeout(resolve, 1600))
  client.send('still there')
  assert.equal((await message(client)).data.toString(), 'still there')
  client.terminate()
})

test('a tunnel that nothing passes through is closed, at both ends; one that is used is not', async (t) => {
  const target = await wsTarget(t)
  const { app, ws } = await gateway(t, [target.origin], { upstream: { timeouts: { tunnel: 600 } } })
  const [silent, used] = [await opened(ws), await opened(ws)]
  const closed = once(silent, 'close')
  const chatter = setInterval(() => used.send('x'), 50)
  t.after(() => clearInterval(chatter))
  assert.equal((await closed)[0], 1006)
  await until(() => target.server.clients.size === 1 && inflight(app) === 1, 'the target has lost it too')
  used.send('still there')
  assert.ok((await message(used)).data.length > 0)
  const idle = app.upstreams.collectors.find(({ name }) => name === 'tunnels_idle_closed_total')
  const counts: unknown[] = []
  idle?.collect((count, ...labels) => counts.push([count, ...labels]))
  assert.deepEqual(counts, [[1, 'ws']])
  used.terminate()
  await until(() => inflight(app) === 0, 'nothing is in flight')
})

test('a tunnel to a target that is frozen is given up', async (t) => {
  const origin = await rawTarget(t, (socket) => {
    socket.once('data', () => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n')
      socket.pause()
    })
  })
  const { app, port } = await gateway(t, [origin], { upstream: { timeouts: { tunnel: 100 } } })
  const client = upgradeBy(port)
  await untilText(client, '\r\n\r\n')
  client.write(Buffer.alloc(100_000))
  await until(() => client.closed || client.readableEnded || client.destroyed, 'the client is told')
  client.destroy()
  await until(() => inflight(app) === 0, 'nothing is in flight')
})

test('tunnels have a bound of their own: one more gets 503, and requests are served all the same', async (t) => {
  const target = await wsTarget(t)
  const { app, ws, url, port } = await gateway(t, [target.origin], {
    upstream: { limits: { tunnels: 2, connections: 1, queue: 0 } },
  })
  const [one, two] = [await opened(ws), await opened(ws)]
  const refused = await text(upgradeBy(port))
  assert.match(refused, /^HTTP\/1\.1 503 .*GTW_OVERLOADED/s)
  assert.match(refused, /^retry-after: 1\r$/m)
  // A server of WebSockets says so to those who do not want one.
  for (let i = 0; i < 3; i++) assert.equal((await fetch(url)).status, 426)
  assert.equal(app.upstreams.upstream('ws').targets[0]?.tunnels, 2)
  one.terminate()
  await until(() => inflight(app) === 1, 'one tunnel is gone')
  const third = await opened(ws)
  third.terminate()
  two.terminate()
  await until(() => inflight(app) === 0, 'nothing is in flight')
  assert.equal(app.upstreams.upstream('ws').targets[0]?.tunnels, 0)
})

test('a target that has all its tunnels is passed over for another', async (t) => {
  const targets = [await wsTarget(t), await wsTarget(t)]
  const { ws, port } = await gateway(
    t,
    targets.map(({ origin }) => origin),
    { upstream: { limits: { tunnels: 1 } } },
  )
  const open = [await opened(ws), await opened(ws)]
  assert.deepEqual(
    targets.map(({ requests }) => requests.length),
    [1, 1],
  )
  assert.match(await text(upgradeBy(port)), /^HTTP\/1\.1 503 /)
  for (const one of open) one.terminate()
})

test('a dead target is a 502, a silent one a 504', async (t) => {
  const { port } = await gateway(t, [await deadOrigin()])
  const dead = await text(upgradeBy(port))
  assert.match(dead, /^HTTP\/1\.1 502 /)
  assert.match(dead, /GTW_UPSTREAM_UNREACHABLE/)
  assert.doesNotMatch(dead, /ECONN|127\.0\.0\.1/)

  const silent = await gateway(t, [await rawTarget(t, () => {})], {
    upstream: { timeouts: { response: 100 } },
  })
  assert.match(await text(upgradeBy(silent.port)), /^HTTP\/1\.1 504 /)
  assert.equal(inflight(silent.app), 0)
})

test('a handshake that fails at one target is tried at another', async (t) => {
  const target = await wsTarget(t)
  const { app, ws } = await gateway(t, [await deadOrigin(), target.origin], {
    upstream: { failover: { retries: 1, maxBackoff: 1 } },
  })
  for (let i = 0; i < 4; i++) (await opened(ws)).terminate()
  assert.equal(target.requests.length, 4)
  await until(() => inflight(app) === 0, 'nothing in flight')
})

for (const how of ['end', 'resetAndDestroy'] as const) {
  test(`a client that leaves in the handshake by ${how} is noticed`, async (t) => {
    const reached = Promise.withResolvers<void>()
    const left = Promise.withResolvers<void>()
    const origin = await rawTarget(t, (socket) => {
      socket.once('data', () => reached.resolve())
      socket.once('end', left.resolve).once('close', left.resolve)
    })
    const { app, port } = await gateway(t, [origin])
    const socket = upgradeBy(port)
    await reached.promise
    assert.equal(inflight(app), 1)
    socket[how]()
    await left.promise
    await until(() => inflight(app) === 0, 'nothing in flight')
  })
}

test('an upgrade by POST without a body reaches the target without one', async (t) => {
  let head = ''
  const origin = await rawTarget(t, (socket) => {
    socket.once('data', (chunk) => {
      head = chunk.toString('latin1')
      socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: foo\r\n\r\n')
    })
  })
  const { port } = await gateway(t, [origin], { route: { upgrade: ['foo'] } })
  for (const length of ['', 'content-length: 0\r\n']) {
    const client = connect(port, '127.0.0.1')
    t.after(() => client.destroy())
    client.write(`POST / HTTP/1.1\r\nhost: a\r\n${length}connection: upgrade\r\nupgrade: foo\r\n\r\n`)
    assert.match(await untilText(client, '\r\n\r\n'), /^HTTP\/1.1 101 /)
    assert.doesNotMatch(head, /transfer-encoding/i)
    assert.equal(head.match(/^content-length: 0\r$/gim)?.length, 1)
  }
})

test('a hook that refuses answers as to any request', async (t) => {
  const target = await wsTarget(t)
  const { app, ws, port } = await gateway(
    t,
    [target.origin],
    {},
    {
      use: async (fastify) => {
        fastify.addHook('onRequest', async (request, reply) => {
          if (request.headers.authorization === undefined) return reply.code(401).send({ who: 'are you' })
        })
      },
    },
  )
  const answer = await text(upgradeBy(port))
  assert.match(answer, /^HTTP\/1\.1 401 /)
  assert.match(answer, /connection: close/i)
  assert.match(answer, /are you/)
  const client = await opened(ws, [], { headers: { authorization: 'Bearer x' } })
  client.terminate()
  await until(() => inflight(app) === 0, 'nothing in flight')
})

test('an upgrade that the route does not take is served as a request, its body too', async (t) => {
  const server = http.createServer(async (request, response) => {
    response.end(`${request.method} ${request.headers.upgrade} ${await text(request)}`)
  })
  const own = await portFor(server)
  t.after(() => server.close())
  const origin = `http://127.0.0.1:${own}`
  const { port } = await gateway(t, [origin])
  for (const protocol of ['h2c', 'TLS/1.0', 'other, h2c']) {
    const answer = await text(
      upgradeBy(port, { protocol, more: 'connection: close\r\ncontent-length: 4\r\n', rest: 'body' }),
    )
    assert.match(answer, /^HTTP\/1\.1 200 /, protocol)
    assert.match(answer, /GET undefined body/, protocol)
  }
  const missing = await gateway(t, [origin], { route: { path: '/only' } })
  const answer = await text(upgradeBy(missing.port, { path: '/other', more: 'connection: close\r\n' }))
  assert.match(answer, /^HTTP\/1\.1 404 /)
})

test('tunnels end when the gateway stops', { timeout: 5000 }, async (t) => {
  const target = await wsTarget(t)
  const { app, ws } = await gateway(t, [target.origin], { server: { drain: 100 } })
  const client = await opened(ws)
  const closed = once(client, 'close')
  await app.close()
  await closed
  assert.equal(inflight(app), 0)
})

test('the access log has one line per tunnel, at its end, with its bytes', async (t) => {
  const target = await wsTarget(t)
  const lines: Record<string, unknown>[] = []
  const { ws } = await gateway(t, [target.origin], {}, { log: (line) => lines.push(JSON.parse(line)) })
  const accessLines = () => lines.filter(({ msg }) => msg === 'request')
  const client = await opened(ws)
  client.send(Buffer.alloc(100_000))
  await message(client)
  assert.equal(accessLines().length, 0)
  client.close()
  await until(() => accessLines().length > 0, 'a line was written')
  const [line] = accessLines() as [Record<string, unknown>]
  assert.equal(line.status, 101)
  assert.equal(line.target, target.origin)
  assert.equal(line.aborted, undefined)
  assert.ok((line.bytes as number) > 100_000 && (line.bytes as number) < 101_000, `${line.bytes} bytes`)
})

test('CONNECT is answered and not tunnelled', async (t) => {
  const target = await wsTarget(t)
  const { port } = await gateway(t, [target.origin])
  const socket = connect(port, '127.0.0.1')
  socket.write('CONNECT example.com:443 HTTP/1.1\r\nhost: example.com:443\r\n\r\n')
  assert.match(await text(socket), /^HTTP\/1\.1 501 .*GTW_NOT_IMPLEMENTED/s)
})
