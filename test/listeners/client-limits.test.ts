import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { rawRequest } from '../support/gateway.ts'
import { startTarget } from '../support/target.ts'
import { gatewayTo, inflight, until } from './support.ts'

function dial(port: number, bytes = ''): Socket {
  const socket = connect(port, '127.0.0.1').on('error', () => {})
  if (bytes !== '') socket.write(bytes, 'latin1')
  return socket
}

function problem(answer: string, status: number): void {
  assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `))
  assert.match(answer, /content-type: application\/problem\+json/i)
  assert.match(answer, /connection: close/i)
  assert.equal(JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4)).status, status)
}

for (const http2 of [false, true]) {
  test(`slow headers are cut after headersTimeout${http2 ? ', with HTTP/2 offered too' : ''}`, async (t) => {
    const target = await startTarget(t)
    const { port } = await gatewayTo(t, target.origin, { server: { headersTimeout: 300, http2 } })
    problem(await text(dial(port, 'GET / HTTP/1.1\r\nhost: a\r\nx-slow:')), 408)
    assert.equal(target.seen.length, 0)
  })
}

test('a slow body is cut after requestTimeout', async (t) => {
  const target = await startTarget(t)
  const { app, port } = await gatewayTo(t, target.origin, {
    server: { headersTimeout: 300, requestTimeout: 500 },
  })
  problem(await text(dial(port, 'POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nhalf')), 408)
  const streamed = await text(
    dial(port, 'POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n'),
  )
  assert.match(streamed, /^HTTP\/1\.1 408 /)
  assert.equal(target.seen.length, 0)
  await until(() => inflight(app) === 0, 'nothing in flight')
})

test('an idle connection is closed, and one that has served its number of requests', async (t) => {
  const target = await startTarget(t)
  const idle = await gatewayTo(t, target.origin, { server: { keepAliveTimeout: 100 } })
  assert.match(
    await text(dial(idle.port, 'GET / HTTP/1.1\r\nhost: a\r\n\r\n')),
    /^HTTP\/1\.1 200 .*\r\n\r\nok$/s,
  )
  const counted = await gatewayTo(t, target.origin, { server: { requestsPerConnection: 2 } })
  const answer = await text(dial(counted.port, 'GET / HTTP/1.1\r\nhost: a\r\n\r\n'.repeat(2)))
  assert.equal(answer.match(/HTTP\/1\.1 200/g)?.length, 2)
  assert.match(answer, /connection: close/i)
})

test('a connection that says nothing is closed', async (t) => {
  const target = await startTarget(t)
  const { port } = await gatewayTo(t, target.origin, { server: { headersTimeout: 300 } })
  const socket = dial(port).resume()
  await once(socket, 'close')
})

test('headers too large are 431, chunk extensions too large 413', async (t) => {
  const target = await startTarget(t)
  const { port } = await gatewayTo(t, target.origin)
  problem(await text(dial(port, `GET / HTTP/1.1\r\nhost: a\r\nx-big: ${'x'.repeat(20_000)}\r\n\r\n`)), 431)
  problem(await text(dial(port, `GET /${'x'.repeat(20_000)} HTTP/1.1\r\nhost: a\r\n\r\n`)), 431)
  const chunk = `POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1;${'x'.repeat(20_000)}\r\na\r\n0\r\n\r\n`
  assert.match(await text(dial(port, chunk)), /^HTTP\/1\.1 413 /)
  assert.equal(target.seen.length, 0)
})

const HEAD = 'POST / HTTP/1.1\r\nhost: a\r\n'
const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n'

/** Each would be taken for two requests by someone who reads lengths another way than the next one does. */
const SMUGGLING: Readonly<Record<string, string>> = {
  'length and encoding': `${HEAD}content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
  'encoding and length': `${HEAD}transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n${SMUGGLED}`,
  'two lengths': `${HEAD}content-length: 0\r\ncontent-length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`,
  'the same length twice': `${HEAD}content-length: 2\r\ncontent-length: 2\r\n\r\nok`,
  'a list of lengths': `${HEAD}content-length: 0, ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`,
  'a signed length': `${HEAD}content-length: +${SMUGGLED.length}\r\n\r\n${SMUGGLED}`,
  'a hexadecimal length': `${HEAD}content-length: 0x10\r\n\r\n${SMUGGLED}`,
  'an encoding nobody knows': `${HEAD}transfer-encoding: xchunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
  'chunked not last': `${HEAD}transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n${SMUGGLED}`,
  'an encoding hidden by a tab': `${HEAD}transfer-encoding:\tchunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n${SMUGGLED}`,
  'a space before the colon': `${HEAD}transfer-encoding : chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
  'a folded line': `${HEAD}x-a: b\r\n transfer-encoding: chunked\r\n\r\n${SMUGGLED}`,
  'a folded encoding': `${HEAD}transfer-encoding:\r\n chunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n${SMUGGLED}`,
  'a bare LF': `POST / HTTP/1.1\nhost: a\ncontent-length: 0\n\n${SMUGGLED}`,
  'a bare LF in the headers': `${HEAD}x-a: b\ncontent-length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`,
  'a bare CR in the headers': `${HEAD}x-a: b\rcontent-length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`,
  'a NUL in the headers': `${HEAD}x-a: b\0c\r\ncontent-length: 0\r\n\r\n${SMUGGLED}`,
  'a bare LF behind a chunk size': `${HEAD}transfer-encoding: chunked\r\n\r\n0\n\n${SMUGGLED}`,
  'a bare LF in a chunk extension': `${HEAD}transfer-encoding: chunked\r\n\r\n2;\nxx\r\n${SMUGGLED.length.toString(16)}\r\n0\r\n\r\n${SMUGGLED}`,
  'a chunk longer than it says': `${HEAD}transfer-encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n${SMUGGLED}`,
  'a chunk size too large': `${HEAD}transfer-encoding: chunked\r\n\r\n10000000000000000\r\n\r\n${SMUGGLED}`,
  'no colon': `${HEAD}nonsense\r\n\r\n${SMUGGLED}`,
  'two hosts': `GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\nconnection: close\r\n\r\n`,
  'no host': 'GET / HTTP/1.1\r\nconnection: close\r\n\r\n',
  'another encoding below the chunks': `${HEAD}transfer-encoding: gzip, chunked\r\nconnection: close\r\n\r\n0\r\n\r\n`,
  'no HTTP at all': 'hello there\r\n\r\n',
  'a version nobody speaks': `GET / HTTP/9.9\r\nhost: a\r\n\r\n${SMUGGLED}`,
}

for (const [name, bytes] of Object.entries(SMUGGLING)) {
  test(`smuggling: ${name}`, async (t) => {
    const target = await startTarget(t)
    const { app, port } = await gatewayTo(t, target.origin)
    const answer = await rawRequest(port, bytes, { timeoutMs: 1500 })
    assert.match(answer, /^HTTP\/1\.1 (400|413|501|505) /, answer.slice(0, 200))
    assert.equal(answer.match(/HTTP\/1\.1 \d/g)?.length, 1)
    assert.equal(target.seen.filter(({ url }) => url === '/smuggled').length, 0)
    await until(() => inflight(app) === 0, 'nothing in flight')
  })
}

test('what is left over of the chunking does not reach the target', async (t: TestContext) => {
  const target = await startTarget(t)
  const { port } = await gatewayTo(t, target.origin)
  const body = `4;name="v;a";x=y\r\nbody\r\n0;last\r\nx-trailer: 1\r\nhost: evil\r\n\r\n`
  const answer = await text(
    dial(port, `${HEAD}connection: close\r\ntransfer-encoding: ChUnKeD\r\n\r\n${body}`),
  )
  assert.match(answer, /^HTTP\/1\.1 200 /)
  const [seen] = target.seen
  assert.equal(target.seen.length, 1)
  assert.equal(seen?.body, 'body')
  assert.equal(seen?.headers.host, 'a')
  assert.equal(seen?.headers['x-trailer'], undefined)
})

test('pipelined requests are served one after another, in their order', async (t) => {
  const open = new Set<string>()
  const target = await startTarget(t, ({ url }, response) => {
    open.add(url)
    assert.deepEqual([...open], [url])
    response.setHeader('content-type', 'text/plain')
    setTimeout(
      () => {
        open.delete(url)
        response.end(url)
      },
      url === '/1' ? 50 : 0,
    )
  })
  const { port } = await gatewayTo(t, target.origin)
  const requests = ['/1', '/2', '/3'].map(
    (path) => `POST ${path} HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n`,
  )
  const answer = await text(dial(port, `${requests.join('\r\n12')}connection: close\r\n\r\n12`))
  assert.deepEqual(
    answer.match(/\r\n\r\n\/\d/g),
    ['/1', '/2', '/3'].map((path) => `\r\n\r\n${path}`),
  )
  assert.deepEqual(
    target.seen.map(({ url, body }) => url + body),
    ['/112', '/212', '/312'],
  )
})

test('one connection cannot take all to a target, is answered to its end, and is not read from without end', async (t) => {
  let first: ServerResponse | undefined
  const target = await startTarget(t, ({ url }, response) => {
    if (url === '/held') first = response
    else response.end('ok')
  })
  const { app, port } = await gatewayTo(t, target.origin, { upstream: { limits: { connections: 2 } } })
  const get = 'GET /x HTTP/1.1\r\nhost: a\r\n\r\n'
  const socket = dial(port, `GET /held HTTP/1.1\r\nhost: a\r\n\r\n${get.repeat(1500)}`)
  await until(() => first !== undefined, 'the first request arrives')
  // Far more than what the kernel holds: it is not taken.
  const flood = Buffer.from(get.repeat(400_000))
  socket.write(flood)
  await new Promise((resolve) => setTimeout(resolve, 100))
  assert.ok(socket.writableLength > flood.length / 2, `${socket.writableLength} of ${flood.length} wait`)
  assert.equal(inflight(app), 1)
  assert.match(
    await text(dial(port, 'GET /other HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n')),
    /^HTTP\/1\.1 200 /,
  )
  let answers = 0
  socket.on('data', (chunk) => {
    answers += chunk.toString('latin1').split('HTTP/1.1 200 ').length - 1
  })
  first?.end('held')
  await until(() => answers > 1500, 'all of them are answered')
  socket.destroy()
  await until(() => inflight(app) === 0, 'nothing in flight')
})

test('what is malformed behind a request is not what that one is answered with', async (t) => {
  const target = await startTarget(t, (_seen, response) => void setTimeout(() => response.end('ok'), 30))
  const { port } = await gatewayTo(t, target.origin)
  for (const after of ['nonsense\r\n\r\n', 'nonsense\r\n\r\n'.repeat(100)]) {
    const answer = await text(dial(port, `${HEAD}content-length: 2\r\n\r\n12${after}`))
    assert.match(answer, /^HTTP\/1\.1 200 .*HTTP\/1\.1 400 /s)
    assert.equal(answer.match(/HTTP\/1\.1 \d/g)?.length, 2)
  }
})

const REFUSED: readonly (readonly [status: number, code: string, bytes: string])[] = [
  [400, 'GTW_BAD_REQUEST', 'GET / HTTP/1.1\r\n'],
  [417, 'GTW_EXPECTATION_FAILED', 'GET / HTTP/1.1\r\nhost: a\r\nexpect: wonders\r\n'],
  [501, 'GTW_NOT_IMPLEMENTED', `${HEAD}transfer-encoding: gzip, chunked\r\n`],
]

test('what Node would answer with nothing but a status is problem+json, and has its access line', async (t) => {
  const target = await startTarget(t)
  const lines: Record<string, unknown>[] = []
  const { port } = await gatewayTo(t, target.origin, {}, { log: (line) => lines.push(JSON.parse(line)) })
  for (const [status, code, head] of REFUSED) {
    const answer = await text(dial(port, `${head}connection: close\r\n\r\n0\r\n\r\n`))
    problem(answer, status)
    assert.ok(answer.includes(code))
  }
  const told = () => lines.filter(({ msg }) => msg === 'request').map(({ status, error }) => [status, error])
  await until(() => told().length === REFUSED.length, 'a line for each')
  assert.deepEqual(
    told(),
    REFUSED.map(([status, code]) => [status, code]),
  )
  assert.equal(target.seen.length, 0)
  // An expectation of HTTP/1.0 is none.
  const old = await text(dial(port, 'GET / HTTP/1.0\r\nexpect: wonders\r\n\r\n'))
  assert.match(old, /^HTTP\/1\.1 200 /)
})

test('what is no request is counted by its reason and told at a bounded rate', async (t) => {
  const target = await startTarget(t)
  const lines: Record<string, unknown>[] = []
  const { app, port } = await gatewayTo(t, target.origin, {}, { log: (line) => lines.push(JSON.parse(line)) })
  const sent = {
    malformed: 'nonsense\r\n\r\n',
    connect: 'CONNECT x:80 HTTP/1.1\r\nhost: x\r\n\r\n',
    version: 'GET / HTTP/2.0\r\nhost: x\r\n\r\n',
    'headers-too-large': `GET / HTTP/1.1\r\nhost: a\r\nx-big: ${'x'.repeat(20_000)}\r\n\r\n`,
  }
  for (const bytes of Object.values(sent)) for (let i = 0; i < 3; i++) await text(dial(port, bytes))
  const counted: Record<string, number> = {}
  app.upstreams.collectors
    .find(({ name }) => name === 'client_errors_total')
    ?.collect((value, reason) => {
      if (value > 0) counted[reason as string] = value
    })
  assert.deepEqual(counted, { malformed: 3, connect: 3, version: 3, 'headers-too-large': 3 })
  const told = () => lines.filter(({ msg }) => msg === 'refused what is no request')
  assert.deepEqual(
    told().map(({ reason, status, peer }) => [reason, status, peer]),
    [
      ['malformed', 400, '127.0.0.1'],
      ['connect', 501, '127.0.0.1'],
      ['version', 505, '127.0.0.1'],
      ['headers-too-large', 431, '127.0.0.1'],
    ],
  )
  await app.close()
  assert.deepEqual(
    lines.filter(({ msg }) => msg === 'more was refused that is no request').map(({ reasons }) => reasons),
    [{ malformed: 2, connect: 2, version: 2, 'headers-too-large': 2 }],
  )
})

test('a target in absolute form is served, and its authority takes the place of the Host header, for guards too', async (t) => {
  const target = await startTarget(t)
  const hosts: string[] = []
  const { port } = await gatewayTo(
    t,
    target.origin,
    {
      routes: [
        { path: '/open', host: 'open.example', upstream: 'one' },
        { path: '/*', host: 'closed.example', respond: { status: 403 } },
      ],
    },
    {
      use: async (app) =>
        app.addGuard({
          name: 'looks',
          stage: 'authenticate',
          forRoute: () => (request) =>
            void hosts.push(`${request.hostname} ${request.url} ${request.originalUrl}`),
        }),
    },
  )
  const ask = async (requestTarget: string, host: string, method = 'GET'): Promise<string> =>
    text(dial(port, `${method} ${requestTarget} HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`))
  assert.match(await ask('http://open.example:80/x/../open?a=http://b', 'closed.example'), /^HTTP\/1\.1 200 /)
  assert.equal(target.seen[0]?.headers.host, 'open.example:80')
  assert.equal(target.seen[0]?.url, '/open?a=http://b')
  assert.deepEqual(hosts, ['open.example /open?a=http://b /x/../open?a=http://b'])
  assert.match(await ask('HTTP://closed.example', 'open.example'), /^HTTP\/1\.1 403 /)
  assert.match(await ask('http://closed.example/open', 'open.example'), /^HTTP\/1\.1 403 /)
  for (const wrong of [
    'http:///open',
    'http://u@open.example/open',
    'ftp://open.example/open',
    'open.example/open',
  ])
    assert.match(await ask(wrong, 'open.example'), /^HTTP\/1\.1 400 /, wrong)
  assert.equal(target.seen.length, 1)
})

test('100 Continue is said when the body is wanted, and not to who is refused', async (t) => {
  const target = await startTarget(t)
  const { port } = await gatewayTo(
    t,
    target.origin,
    {
      routes: [
        { path: '/in', upstream: 'one' },
        { path: '/*', name: 'out', upstream: 'one' },
      ],
    },
    {
      use: async (app) =>
        app.addGuard({
          name: 'wall',
          stage: 'authenticate',
          forRoute: ({ name }) =>
            name === 'out'
              ? (_request, reply) => void reply.code(401).send('no')
              : () => new Promise<void>((resolve) => setTimeout(resolve, 10)),
        }),
    },
  )
  const head = (path: string, how: string) =>
    `POST ${path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\nexpect: 100-continue\r\n${how}\r\n\r\n`
  for (const [how, body] of [
    ['content-length: 2', '12'],
    ['transfer-encoding: chunked', '2\r\n12\r\n0\r\n\r\n'],
  ] as const) {
    assert.match(await text(dial(port, head('/out', how))), /^HTTP\/1\.1 401 /)
    const socket = dial(port, head('/in', how))
    let answer = ''
    socket.on('data', (chunk) => {
      answer += chunk
    })
    await until(() => answer !== '', 'an answer')
    assert.equal(answer, 'HTTP/1.1 100 Continue\r\n\r\n')
    socket.write(body)
    await once(socket, 'close')
    assert.match(answer, /\r\n\r\nHTTP\/1\.1 200 /)
    assert.equal(target.seen.at(-1)?.body, '12')
  }
  assert.equal(target.seen.length, 2)
})

test('connections that the kernel has let in are served on a stop', async (t) => {
  const target = await startTarget(t)
  const { app, port } = await gatewayTo(t, target.origin)
  const answers = Array.from({ length: 60 }, () =>
    text(dial(port, 'GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n')),
  )
  const closed = new Promise((resolve) => app.server.close(resolve))
  for (const answer of await Promise.all(answers)) assert.match(answer, /^HTTP\/1\.1 200 /)
  await closed
})
