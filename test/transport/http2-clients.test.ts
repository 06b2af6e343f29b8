/** Requests of HTTP/2 without a body are that: they are hedged and mirrored like those of HTTP/1.1. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import http2, { type ClientHttp2Session, type OutgoingHttpHeaders } from 'node:http2'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { startFaulty } from '../support/faulty.ts'
import { startTarget } from '../support/target.ts'
import { eventually, gatewayTo, idle } from './support.ts'

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
