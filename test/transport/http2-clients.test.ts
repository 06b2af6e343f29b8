/** What differs for clients of HTTP/2: bodies that have no head to announce them, and Node's own ideas of streams. */
import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import http2, {
  type ClientHttp2Session,
  type OutgoingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { startFaulty, wire } from '../support/faulty.ts'
import { startTarget } from '../support/target.ts'
import { ask as askHttp1, eventually, gatewayTo, idle } from './support.ts'

function session(t: TestContext, url: string): ClientHttp2Session {
  const client = http2.connect(url)
  t.after(() => client.destroy())
  return client
}

async function ask(client: ClientHttp2Session, headers: OutgoingHttpHeaders, body?: string): Promise<string> {
  const stream = client.request({ ':path': '/', ...headers }, { endStream: body === undefined })
  stream.end(body)
  const [head] = await once(stream, 'response')
  return `${head[':status']} ${await text(stream)}`
}

test('a request of HTTP/2 without a body reaches an HTTP/1.1 target without one', async (t) => {
  const target = await startTarget(t)
  const gateway = await gatewayTo(t, target.origin, { server: { http2: true } })
  const client = session(t, gateway.url)
  for (const method of ['GET', 'DELETE', 'POST', 'QUERY']) await ask(client, { ':method': method })
  for (const { method, headers } of target.seen) {
    assert.equal(headers['transfer-encoding'], undefined, method)
    assert.equal(headers['content-length'], method === 'POST' ? '0' : undefined, method)
  }
  await ask(client, { ':method': 'POST' }, 'hello')
  assert.equal(target.seen.at(-1)?.body, 'hello')
  assert.equal(target.seen.at(-1)?.headers['transfer-encoding'], 'chunked')
  await idle(gateway)
})

test('a frozen target is not noticed by a client of HTTP/2: its GET is hedged', async (t) => {
  const frozen = await startFaulty(t, () => {})
  const good = await startTarget(t)
  const gateway = await gatewayTo(t, [frozen.origin, good.origin], {
    server: { http2: true },
    upstream: { failover: { hedge: { after: '20ms', minPerSecond: 1000 } }, outlierDetection: false },
  })
  const client = session(t, gateway.url)
  for (let i = 0; i < 6; i++) assert.equal(await ask(client, {}), '200 ok')
  assert.ok(frozen.requests.length > 0, 'the frozen target was tried')
  await idle(gateway)
})

test('a GET of HTTP/2 is mirrored', async (t) => {
  const target = await startTarget(t)
  const shadow = await startTarget(t)
  const gateway = await gatewayTo(t, target.origin, {
    server: { http2: true },
    others: { shadow: { targets: [{ origin: shadow.origin }] } },
    route: { mirror: { upstream: 'shadow', percent: 100 } },
  })
  assert.equal(await ask(session(t, gateway.url), {}), '200 ok')
  await eventually(() => shadow.seen.length === 1, 'the copy has come')
  await idle(gateway)
})

/** Node sends none of these twice unless it is told that it may. */
const SINGLE = ['x-content-type-options', 'content-type', 'location', 'etag', 'date', 'age', 'retry-after']

test('a header that a target repeats ends neither the process nor the answer', async (t) => {
  const twice = SINGLE.map((name) => `\n${name}: a/b\n${name}: a/b`).join('')
  const head = `HTTP/1.1 200 OK\nTransfer-Encoding: chunked${twice}`
  const target = await startFaulty(t, ({ socket, head: asked }) => {
    if (asked.startsWith('GET /late ')) {
      // The head goes out alone, for no request's handler is under way when the time for gathering is over.
      socket.write(wire(head))
      setTimeout(() => socket.write('2\r\nok\r\n0\r\n\r\n'), 100)
    } else socket.write(wire(head, '2\r\nok\r\n0\r\n\r\n'))
  })
  const gateway = await gatewayTo(t, target.origin, {
    server: { http2: true },
    upstream: { gatherWithin: '10ms' },
  })
  const client = session(t, gateway.url)
  for (const path of ['/', '/late']) assert.equal(await ask(client, { ':path': path }), '200 ok', path)
  await idle(gateway)
})

test('a trailer that a target repeats ends neither the process nor the answer', async (t) => {
  const target = await startFaulty(t, ({ socket }) =>
    socket.write(
      wire('HTTP/1.1 200 OK\nTransfer-Encoding: chunked', '2\r\nok\r\n0\r\netag: a\r\netag: b\r\n\r\n'),
    ),
  )
  const gateway = await gatewayTo(t, target.origin, { server: { http2: true } })
  const stream = session(t, gateway.url).request({ ':path': '/' })
  const trailers = once(stream, 'trailers')
  assert.equal(await text(stream), 'ok')
  assert.match(String((await trailers)[0].etag), /^a/)
  await idle(gateway)
})

test('headers of a connection that a target sends reach no client of HTTP/2, and end nothing', async (t) => {
  const names = ['HTTP2-Settings', 'Keep-Alive', 'Proxy-Connection', 'Upgrade', 'TE']
  const head = `HTTP/1.1 200 OK\nContent-Length: 2${names.map((name) => `\n${name}: a`).join('')}`
  const target = await startFaulty(t, ({ socket }) => socket.write(wire(head, 'ok')))
  const gateway = await gatewayTo(t, target.origin, { server: { http2: true } })
  assert.equal(await ask(session(t, gateway.url), {}), '200 ok')
})

test('a 205 has no body, whatever its target says', async (t) => {
  for (const answer of [
    wire('HTTP/1.1 205 Reset\nContent-Length: 2', 'ok'),
    wire('HTTP/1.1 205 Reset\nTransfer-Encoding: chunked', '2\r\nok\r\n0\r\n\r\n'),
    wire(
      'HTTP/1.1 205 Reset\nContent-Type: text/event-stream\nTransfer-Encoding: chunked',
      '2\r\nok\r\n0\r\n\r\n',
    ),
  ]) {
    const target = await startFaulty(t, ({ socket }) => socket.write(answer))
    const gateway = await gatewayTo(t, target.origin, { server: { http2: true } })
    assert.equal(await ask(session(t, gateway.url), {}), '205 ')
    const { status, headers, body } = await askHttp1(gateway.port)
    assert.deepEqual(
      [status, headers['content-length'], headers['transfer-encoding'], String(body)],
      [205, '0', undefined, ''],
    )
    await idle(gateway)
  }
})

/** The sessions of gateways that clients have asked something in from now on. */
function watchSessions(t: TestContext): Set<ServerHttp2Session> {
  const open = new Set<ServerHttp2Session>()
  const onStream = (message: unknown): void => {
    const one = (message as { stream: ServerHttp2Stream }).stream.session as ServerHttp2Session
    open.add(one)
    one.once('close', () => open.delete(one))
  }
  subscribe('http2.server.stream.created', onStream)
  t.after(() => unsubscribe('http2.server.stream.created', onStream))
  return open
}

for (const [name, path] of Object.entries({
  'refused in the middle': '/refused',
  'answered before its end': '/early',
})) {
  test(`a session whose upload was ${name} closes though its client takes nothing of the answer`, async (t) => {
    const target = await startFaulty(t, ({ socket, head }) => {
      if (head.startsWith('POST /early'))
        socket.write(wire('HTTP/1.1 200 OK\nContent-Length: 5000', 'x'.repeat(5000)))
    })
    const gateway = await gatewayTo(t, target.origin, {
      server: { http2: true, bodyLimit: path === '/refused' ? 300_000 : '10MiB', replayBody: 0 },
    })
    const open = watchSessions(t)
    const client = http2.connect(gateway.url, { settings: { initialWindowSize: 0 } })
    t.after(() => client.destroy())
    const stream = client.request({ ':method': 'POST', ':path': path })
    const answered = once(stream, 'response')
    stream.write(Buffer.alloc(path === '/refused' ? 320_000 : 64_000))
    const [{ ':status': status }] = await answered
    assert.equal(status, path === '/refused' ? 413 : 200)
    assert.equal(open.size, 1)
    // What nobody reads any more.
    stream.write(Buffer.alloc(40_000))
    await new Promise((resolve) => client.ping(resolve))
    stream.close(http2.constants.NGHTTP2_NO_ERROR)
    await new Promise((resolve) => client.ping(resolve))
    client.destroy()
    await eventually(() => open.size === 0, 'the session has closed')
    await idle(gateway)
  })
}
