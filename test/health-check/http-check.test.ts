import assert from 'node:assert/strict'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import http from 'node:http'
import http2 from 'node:http2'
import https from 'node:https'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { checkHttp } from '../../plugins/health-check/checks/http.ts'
import { createAuthority } from '../support/certificates.ts'
import { startFaulty, wire } from '../support/faulty.ts'
import { startTarget } from '../support/target.ts'
import { http2Server, limits, listening, own, plainAt, question, secureAt } from './support.ts'

const OK = { ok: true }
const failed = (why: string) => ({ ok: false, why })

test('a check says what it is, over a connection of its own that it closes', async (t) => {
  const target = await startTarget(t)
  let connections = 0
  target.server.on('connection', () => connections++)
  const asked = question({ path: '/up?deep=1', headers: { 'user-agent': 'me', 'x-key': 'abc' } })
  assert.deepEqual(await checkHttp(plainAt(target.port), asked, limits()), OK)
  assert.deepEqual(
    await checkHttp(plainAt(target.port), question({ method: 'HEAD', host: 'users' }), limits()),
    OK,
  )
  assert.equal(connections, 2)
  const [first, second] = target.seen
  assert.deepEqual([first?.method, first?.url], ['GET', '/up?deep=1'])
  assert.deepEqual(first?.headers, {
    host: `127.0.0.1:${target.port}`,
    'user-agent': 'me',
    'x-key': 'abc',
    connection: 'close',
  })
  assert.deepEqual([second?.method, second?.url, second?.headers.host], ['HEAD', '/healthz', 'users'])
})

test('the status decides, and redirects are not followed', async (t) => {
  const target = await startTarget(t, ({ url }, response) => {
    response.statusCode = Number(url.slice(1))
    response.setHeader('location', '/200')
    response.end('body')
  })
  const ask = (status: number, more = {}) =>
    checkHttp(plainAt(target.port), question({ path: `/${status}`, ...more }), limits())
  assert.deepEqual(await ask(204), OK)
  assert.deepEqual(await ask(500), failed('status 500'))
  assert.deepEqual(await ask(302), failed('status 302'))
  const status = [
    [302, 302],
    [404, 410],
  ] as const
  assert.deepEqual(await ask(302, { status }), OK)
  assert.deepEqual(await ask(410, { status }), OK)
  assert.deepEqual(await ask(200, { status }), failed('status 200'))
  assert.equal(target.seen.length, 6)
})

test('text is looked for in the first 64 KiB of the body, across its pieces, and no further', async (t) => {
  const filler = 'x'.repeat(64 * 1024 - 3)
  const target = await startTarget(t, ({ url }, response) => {
    if (url === '/pieces') {
      response.write('database: u')
      setTimeout(() => response.end('p, cache: up'), 20)
    } else if (url === '/late') response.end(`${filler}up!${'y'.repeat(100_000)}`)
    else response.end(`${filler}.up!${'y'.repeat(100_000)}`)
  })
  const ask = (path: string, body: string) =>
    checkHttp(plainAt(target.port), question({ path, body }), limits())
  assert.deepEqual(await ask('/pieces', 'database: up'), OK)
  assert.deepEqual(
    await ask('/pieces', 'database: down'),
    failed('status 200, but the body does not contain "database: down"'),
  )
  assert.deepEqual(await ask('/late', 'up!'), OK)
  assert.deepEqual(await ask('/too-late', 'up!'), failed('status 200, but the body does not contain "up!"'))
})

for (const version of ['HTTP/1.1', 'HTTP/2']) {
  test(`a body without end is read to 64 KiB and passes, its connection is closed (${version})`, async (t) => {
    let sent = 0
    const pour = (sink: NodeJS.WritableStream): void => {
      const more = (): boolean => {
        sent += 16_384
        return sink.write(Buffer.alloc(16_384))
      }
      sink.on('drain', () => {
        while (more());
      })
      while (more());
    }
    const server =
      version === 'HTTP/2'
        ? http2Server((stream) => {
            stream.respond({ ':status': 200 })
            pour(stream)
          })
        : http.createServer((_request, response) => pour(response))
    const port = await listening(t, server)
    const closed = new Promise((resolve) => {
      server.on('connection', (socket: Socket) => socket.on('error', () => {}).on('close', resolve))
    })
    const asked = question({ http2: version === 'HTTP/2' })
    assert.deepEqual(await checkHttp(plainAt(port), asked, limits()), OK)
    await closed
    assert.ok(sent < 50_000_000, `${sent}`)
  })
}

const answers: [what: string, bytes: string, why: RegExp][] = [
  ['breaks off in the body', wire('HTTP/1.1 200 OK\nContent-Length: 10', 'abc'), /^the answer broke off$/],
  ['breaks off in the head', 'HTTP/1.1 200 OK\r\nConte', /./],
  ['is no HTTP', 'SSH-2.0-OpenSSH_9.6\r\n', /Parse Error/],
  ['is empty', '', /socket hang up/],
  ['switches protocols', wire('HTTP/1.1 101 Switching Protocols\nUpgrade: x\nConnection: upgrade'), /101/],
]
for (const [what, bytes, why] of answers) {
  test(`an answer that ${what} fails the check`, async (t) => {
    const target = await startFaulty(t, ({ socket }) => socket.end(bytes))
    const result = await checkHttp(plainAt(target.port), question(), limits())
    assert.ok(!result.ok)
    assert.match(result.why, why)
  })
}

test('a 100 or 103 before the answer is not the answer', async (t) => {
  const early = `${wire('HTTP/1.1 100 Continue')}${wire('HTTP/1.1 103 Early Hints\nLink: </a>')}`
  const target = await startFaulty(t, ({ socket }) =>
    socket.end(`${early}${wire('HTTP/1.1 200 OK\nContent-Length: 0')}`),
  )
  assert.deepEqual(await checkHttp(plainAt(target.port), question(), limits()), OK)
})

test('over HTTP/2, by prior knowledge, to a target that speaks nothing else', async (t) => {
  const seen: http2.IncomingHttpHeaders[] = []
  const server = http2Server((stream, headers) => {
    seen.push(headers)
    stream.respond({ ':status': headers[':path'] === '/healthz' ? 200 : 503 })
    stream.end('all up')
  })
  const port = await listening(t, server)
  const ask = (more = {}) => checkHttp(plainAt(port), question({ http2: true, ...more }), limits())
  assert.deepEqual(await ask({ body: 'all up', headers: { 'x-key': 'abc' } }), OK)
  assert.deepEqual(await ask({ path: '/other', host: 'users' }), failed('status 503'))
  assert.deepEqual(await ask({ method: 'HEAD' }), OK)
  assert.deepEqual(Object.entries(seen[0] ?? {}), [
    [':method', 'GET'],
    [':path', '/healthz'],
    [':scheme', 'http'],
    [':authority', `127.0.0.1:${port}`],
    ['x-key', 'abc'],
  ])
  assert.equal(seen[1]?.[':authority'], 'users')
  const overHttp1 = await checkHttp(plainAt(port), question(), limits())
  assert.equal(overHttp1.ok, false)
})

// Frames by hand: Node's server ends a stream properly before it resets it.
const SETTINGS = '000000040000000000'
const HEAD = `00000101040000000188${'000003000000000001'}616263`
const breaches: [what: string, frames: string, why: RegExp][] = [
  ['resets the stream', '00000403000000000100000002', /INTERNAL_ERROR|code 2/],
  ['cancels the stream', '00000403000000000100000008', /code 8/],
  ['ends the connection with an error', '000008070000000000000000010000000b', /code 11|ENHANCE/],
  ['closes the connection', '', /broke off|closed/],
  ['sends what is no frame', '4854545021', /./],
]
for (const [what, frames, why] of breaches) {
  test(`an HTTP/2 target that ${what} in the body fails the check`, async (t) => {
    const server = createServer((socket) => {
      socket.on('error', () => {})
      socket.once('data', () => {
        socket.write(Buffer.from(`${SETTINGS}${HEAD}`, 'hex'))
        setTimeout(() => socket.end(Buffer.from(frames, 'hex')), 20)
      })
    })
    const result = await checkHttp(plainAt(await listening(t, server)), question({ http2: true }), limits())
    assert.ok(!result.ok)
    assert.match(result.why, why)
  })
}

test('an HTTP/2 target that closes the stream without an answer fails the check at once', async (t) => {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => socket.write(Buffer.from(`${SETTINGS}00000403000000000100000000`, 'hex')))
  })
  const address = plainAt(await listening(t, server))
  const result = await checkHttp(address, question({ http2: true }), limits())
  assert.deepEqual(result, failed('the connection was closed before the end of the answer'))
})

test('over TLS the certificate is verified', async (t) => {
  const server = https.createServer({ cert: own.cert, key: own.key }, (_request, response) => response.end())
  const port = await listening(t, server)
  assert.deepEqual(await checkHttp(secureAt(port), question(), limits()), OK)
  const stranger = await checkHttp(secureAt(port, createAuthority('Another CA').cert), question(), limits())
  assert.ok(!stranger.ok)
  assert.match(stranger.why, /certificate|issuer/)
  const plain = await checkHttp(plainAt(port), question(), limits())
  assert.equal(plain.ok, false)
})

test('over TLS HTTP/2 is spoken where both know it, and HTTP/1.1 to a target that does not', async (t) => {
  const versions: string[] = []
  const both = http2.createSecureServer({ cert: own.cert, key: own.key, allowHTTP1: true })
  both.on('request', (request, response) => {
    versions.push(request.httpVersion)
    response.end('up')
  })
  const old = https.createServer({ cert: own.cert, key: own.key }, (request, response) => {
    versions.push(request.httpVersion)
    response.end('up')
  })
  const ports = [await listening(t, both as never), await listening(t, old)] as const
  const asked = question({ http2: true, body: 'up' })
  assert.deepEqual(await checkHttp(secureAt(ports[0]), asked, limits()), OK)
  assert.deepEqual(await checkHttp(secureAt(ports[1]), asked, limits()), OK)
  assert.deepEqual(await checkHttp(secureAt(ports[0]), question(), limits()), OK)
  assert.deepEqual(versions, ['2.0', '1.1', '1.1'])
})

test('over a unix socket', async (t) => {
  const path = join(tmpdir(), `holdfast-check-${process.pid}.sock`)
  const server = http.createServer((request, response) => response.end(request.headers.host))
  server.listen(path)
  await once(server, 'listening')
  t.after(() => {
    server.close()
    rmSync(path, { force: true })
  })
  const address = { connect: { path }, hostHeader: 'localhost', tls: undefined }
  assert.deepEqual(await checkHttp(address, question({ body: 'localhost' }), limits()), OK)
})

test('what would be thrown in the course of a check fails it instead', async (t) => {
  const target = await startTarget(t)
  for (const http2 of [false, true]) {
    const asked = question({ http2, headers: { 'not a name': 'x' } })
    const result = await checkHttp(plainAt(target.port), asked, limits())
    assert.ok(!result.ok)
    assert.match(result.why, /not a name|header/i)
  }
})
