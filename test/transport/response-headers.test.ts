import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { startFaulty, wire } from '../support/faulty.ts'
import { rawRequest } from '../support/gateway.ts'
import { ask, gatewayTo } from './support.ts'

/** One gateway and one target for all of them, by what is gathered: the target answers with these bytes. */
const gateways = new Map<number | undefined, Promise<number>>()
let answer = ''
const endings: (() => unknown)[] = []
const file = { after: (end?: unknown) => void endings.push(end as () => unknown) }
after(async () => {
  for (const end of endings) await end()
})

async function open(gatherResponse: number | undefined): Promise<number> {
  const target = await startFaulty(file, ({ socket }) => socket.end(answer, 'latin1'))
  const upstream = { failover: { retries: 0 }, ...(gatherResponse === undefined ? {} : { gatherResponse }) }
  return (await gatewayTo(file, target.origin, { upstream })).port
}

/** The client's view of an answer that the target gives as these bytes. */
async function through(head: string, body = '', gatherResponse: number | undefined = undefined) {
  let port = gateways.get(gatherResponse)
  if (port === undefined) {
    port = open(gatherResponse)
    gateways.set(gatherResponse, port)
  }
  answer = wire(head, body)
  const text = await rawRequest(await port, 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  const [first = '', ...rest] = text.split('\r\n\r\n')
  return { head: first, body: rest.join('\r\n\r\n') }
}

test('headers of the connection with the target do not reach the client', async () => {
  const { head } = await through(
    `HTTP/1.1 200 OK
Connection: keep-alive, X-Hop
Keep-Alive: timeout=77
Proxy-Authenticate: Basic
Proxy-Connection: keep-alive
Upgrade: h2c
Trailer: X-Checksum
X-Hop: 1
X-End: 2
Content-Length: 2`,
    'ok',
  )
  assert.match(head, /^HTTP\/1\.1 200 /)
  assert.doesNotMatch(head, /timeout=77|proxy-|upgrade|trailer|x-hop/i)
  assert.match(head, /^x-end: 2$/im)
  assert.match(head, /^connection: close$/im)
})

test('what a target reports of its load is for the gateway, and no client learns of it', async () => {
  const { head } = await through(
    'HTTP/1.1 200 OK\nendpoint-load-metrics: TEXT cpu_utilization=0.3\nendpoint-load-metrics-bin: CQ==\nX-End: 2\nContent-Length: 2',
    'ok',
  )
  assert.match(head, /^x-end: 2$/im)
  assert.doesNotMatch(head, /endpoint-load/i)
})

test('a 103 long before the answer does not stand in its way', async (t) => {
  const target = await startFaulty(t, ({ socket }) => {
    socket.write(wire('HTTP/1.1 103 Early Hints\nLink: </a.css>; rel=preload'))
    setTimeout(() => socket.write(wire('HTTP/1.1 200 OK\nContent-Length: 2', 'ok')), 30)
  })
  const { port } = await gatewayTo(t, target.origin)
  const { status, headers, body } = await ask(port)
  assert.equal(status, 200)
  assert.equal(headers.link, undefined)
  assert.equal(body.toString(), 'ok')
})

test('header values and texts of the gateway’s own beyond ASCII do not change each other', async (t) => {
  const respond = (body: string) => ({ headers: { 'x-text': 'caf\xe9', 'content-type': 'text/plain' }, body })
  const { port } = await gatewayTo(t, 'http://127.0.0.1:9', {
    routes: [
      { path: '/ascii', respond: respond('cafe') },
      { path: '/text', respond: respond('caf\xe9 \u2615') },
    ],
  })
  for (const [url, body] of [
    ['/ascii', 'cafe'],
    ['/text', 'caf\xe9 \u2615'],
  ] as const) {
    const answer = await ask(port, { url })
    assert.equal(answer.headers['x-text'], 'caf\xe9')
    assert.equal(answer.body.toString(), body)
    assert.equal(answer.headers['content-length'], String(Buffer.byteLength(body)))
  }
})

test('several values of a header stay several lines, in their order', async () => {
  const { head } = await through(
    'HTTP/1.1 200 OK\nSet-Cookie: a=1\nSet-Cookie: b=2\nLink: <1>\nLink: <2>\nContent-Length: 0',
  )
  assert.deepEqual(head.match(/^set-cookie: .*$/gim), ['set-cookie: a=1', 'set-cookie: b=2'])
  assert.deepEqual(head.match(/^link: .*$/gim), ['link: <1>', 'link: <2>'])
})

test('header values beyond ASCII reach the client byte for byte', async () => {
  const { head } = await through('HTTP/1.1 200 OK\nX-Text: caf\xe9 \xff\x80\nContent-Length: 0')
  assert.match(head, /^x-text: caf\xe9 \xff\x80$/im)
})

test('header values beyond ASCII reach the client byte for byte in front of a small text too', async () => {
  const { head, body } = await through(
    'HTTP/1.1 200 OK\nX-Text: caf\xe9 \xff\x80\nContent-Type: text/plain\nContent-Length: 2',
    'ok',
  )
  assert.match(head, /^x-text: caf\xe9 \xff\x80$/im)
  assert.equal(body, 'ok')
})

for (const [how, gather] of [
  ['small', undefined],
  ['streamed', 0],
] as const) {
  test(`an answer without a content type gets none invented: ${how}`, async () => {
    const { head, body } = await through('HTTP/1.1 200 OK\nContent-Length: 2', 'ok', gather)
    assert.doesNotMatch(head, /content-type/i)
    assert.match(head, /^content-length: 2$/im)
    assert.equal(body, 'ok')
  })

  for (const type of ['application/json', 'application/vnd.a+json;v=1', 'foo', 'text/plain', 'a b/c']) {
    test(`the content type "${type}" is not altered: ${how}`, async () => {
      const { head, body } = await through(
        `HTTP/1.1 200 OK\nContent-Type: ${type}\nContent-Length: 2`,
        '{}',
        gather,
      )
      assert.deepEqual(head.match(/^content-type: .*$/gim), [`content-type: ${type}`])
      assert.equal(body, '{}')
    })
  }
}

test('headers named like properties of an object do no harm', async () => {
  const { head, body } = await through(
    'HTTP/1.1 200 OK\nconstructor: 2\ntoString: 3\nX-End: 4\nContent-Length: 2',
    'ok',
  )
  assert.match(head, /^HTTP\/1\.1 200 /)
  assert.match(head, /^constructor: 2$/im)
  assert.match(head, /^tostring: 3$/im)
  assert.match(head, /^x-end: 4$/im)
  assert.equal(body, 'ok')
})

test('a header named __proto__ is no answer: nobody sends it in good faith', async () => {
  const { head, body } = await through('HTTP/1.1 200 OK\n__proto__: 1\nContent-Length: 2', 'ok')
  assert.match(head, /^HTTP\/1\.1 502 /)
  assert.equal(JSON.parse(body).code, 'GTW_UPSTREAM_PROTOCOL')
})

for (const status of [600, 999]) {
  test(`an answer with the status ${status} reaches the client once, in one piece`, async () => {
    const { head, body } = await through(`HTTP/1.1 ${status} Odd\nContent-Length: 2`, 'ok')
    assert.match(head, new RegExp(`^HTTP/1\\.1 (${status}|502) `))
    assert.doesNotMatch(body, /HTTP\/1\.1/)
  })
}

for (const [name, head] of Object.entries({
  'a control character in a header value': 'HTTP/1.1 200 OK\nX-Bad: a\x01b\nContent-Length: 2',
  'a NUL in a header value': 'HTTP/1.1 200 OK\nX-Bad: a\x00b\nContent-Length: 2',
  'a space in a header name': 'HTTP/1.1 200 OK\nX Bad: a\nContent-Length: 2',
  'a bare CR in a header value': 'HTTP/1.1 200 OK\nX-Bad: a\rSet-Cookie: evil\nContent-Length: 2',
  'two content lengths': 'HTTP/1.1 200 OK\nContent-Length: 2\nContent-Length: 3',
  'a length and chunks': 'HTTP/1.1 200 OK\nContent-Length: 2\nTransfer-Encoding: chunked',
  'a status that is none': 'HTTP/1.1 20 OK\nContent-Length: 2',
})) {
  test(`an answer with ${name} is a 502 and not passed on`, async () => {
    const { head: got, body } = await through(head, 'ok')
    assert.match(got, /^HTTP\/1\.1 502 /)
    assert.equal(JSON.parse(body).code, 'GTW_UPSTREAM_PROTOCOL')
  })
}

test('a header block beyond the limit is a 502', async (t) => {
  const target = await startFaulty(t, ({ socket }) =>
    socket.write(wire(`HTTP/1.1 200 OK\nX-Long: ${'x'.repeat(4000)}\nContent-Length: 0`)),
  )
  const { port } = await gatewayTo(t, target.origin, { upstream: { responseHeaderLimit: 2048 } })
  const { status, body } = await ask(port)
  assert.equal(status, 502)
  assert.equal(JSON.parse(body.toString()).code, 'GTW_UPSTREAM_PROTOCOL')
})
