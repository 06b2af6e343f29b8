/** Answers of targets that HTTP does not know, or that say what they must not. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import http2 from 'node:http2'
import { type TestContext, test } from 'node:test'
import type { Outcome } from '../../plugins/upstreams/contract.ts'
import { startFaulty, wire } from '../support/faulty.ts'
import { rawRequest } from '../support/gateway.ts'
import { startFrames } from '../support/http2-frames.ts'
import { startTarget } from '../support/target.ts'
import { ask, eventually, type Gateway, gatewayTo, idle } from './support.ts'

const ODD = [600, 799, 999]

/** A gateway to odd targets and a good one behind them, which says all outcomes. */
async function over(t: TestContext, origins: readonly string[], upstream: object = {}, route: object = {}) {
  const outcomes: Outcome[] = []
  const gateway = await gatewayTo(t, origins, {
    upstream,
    route,
    use: async (app) => {
      app.upstreams.defineBalancer('first', () => ({ pick: (candidates) => candidates[0] }))
      app.upstreams.balance('main', 'first', {})
      app.upstreams.subscribe((_target, outcome) => outcomes.push(outcome))
    },
  })
  return { gateway, outcomes }
}

const reasons = (outcomes: readonly Outcome[]) =>
  outcomes.map((outcome) => (outcome.kind === 'failed' ? outcome.reason : outcome.kind))

for (const version of ['HTTP/1.1', 'HTTP/2']) {
  test(`a status above 599 over ${version} is a failed attempt like any other`, async (t) => {
    for (const status of ODD) {
      const odd =
        version === 'HTTP/2'
          ? await startFrames(t, (stream) => {
              stream.head({ status })
              stream.data('no answer', true)
            })
          : await startFaulty(t, ({ socket }) =>
              socket.write(wire(`HTTP/1.1 ${status} Odd\nContent-Length: 9`, 'no answer')),
            )
      const good = await startTarget(t)
      const http2 = version === 'HTTP/2'
      if (!http2) {
        const { gateway, outcomes } = await over(t, [odd.origin, good.origin])
        assert.equal(String((await ask(gateway.port)).body), 'ok')
        assert.deepEqual(reasons(outcomes), ['protocol', 'answered'])
        await idle(gateway)
      }
      const { gateway, outcomes } = await over(t, [odd.origin], { http2, failover: { retries: 1 } })
      const answer = await ask(gateway.port)
      assert.equal(answer.status, 502)
      assert.match(String(answer.body), /"code":"GTW_UPSTREAM_PROTOCOL"/)
      assert.deepEqual(reasons(outcomes), ['protocol', 'protocol'])
      await idle(gateway)
    }
  })
}

test('a status below 100 is a failed attempt, and leaves no client waiting', async (t) => {
  const plain = await startFaulty(t, ({ socket }) =>
    socket.write(wire('HTTP/1.1 099 Odd\nContent-Length: 0')),
  )
  const frames = await startFrames(t, (stream) => stream.head({ status: '099', end: true }))
  for (const [origin, http2] of [
    [plain.origin, false],
    [frames.origin, true],
  ] as const) {
    const { gateway, outcomes } = await over(t, [origin], { http2, failover: { retries: 0 } })
    assert.equal((await ask(gateway.port)).status, 502)
    // nghttp2 resets such a stream itself.
    assert.deepEqual(reasons(outcomes), [http2 ? 'reset' : 'protocol'])
    await idle(gateway)
  }
})

for (const status of ['600', '099'])
  test(`a status ${status} in answer to an upgrade is a failed attempt`, async (t) => {
    const odd = await startFaulty(t, ({ socket }) =>
      socket.write(wire(`HTTP/1.1 ${status} Odd\nContent-Length: 0`)),
    )
    const { gateway, outcomes } = await over(t, [odd.origin], {}, { upgrade: ['websocket'] })
    const handshake = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n'
    const answer = await rawRequest(gateway.port, handshake)
    assert.match(answer, /^HTTP\/1.1 502 .*GTW_UPSTREAM_PROTOCOL/s)
    assert.ok(reasons(outcomes).every((reason) => reason === 'protocol'))
    await idle(gateway)
  })

test('a phrase that HTTP does not allow in the answer to an upgrade ends no process', async (t) => {
  const odd = await startFaulty(t, ({ socket }) =>
    socket.end(wire('HTTP/1.1 101 Switching\x01\nUpgrade: websocket\nConnection: upgrade')),
  )
  const { gateway } = await over(t, [odd.origin], {}, { upgrade: ['websocket'] })
  const handshake = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n'
  assert.match(await rawRequest(gateway.port, handshake), /^HTTP\/1\.1 101 Switching Protocols\r\n/)
  await idle(gateway)
})

test('interim answers of any kind are not the answer', async (t) => {
  const target = await startFaulty(t, ({ socket }) =>
    socket.write(
      [100, 102, 103, 150, 199].map((status) => wire(`HTTP/1.1 ${status} Soon\nX-Soon: 1`)).join('') +
        wire('HTTP/1.1 200 OK\nContent-Length: 2', 'ok'),
    ),
  )
  const { gateway } = await over(t, [target.origin])
  const { status, headers, body } = await ask(gateway.port)
  assert.deepEqual([status, headers['x-soon'], String(body)], [200, undefined, 'ok'])
})

test('an answer that is not wanted and does not end gives its connection and its place back soon', async (t) => {
  const stalling = await startFaulty(t, ({ socket }) =>
    socket.write(wire('HTTP/1.1 503 Busy\nContent-Length: 1000', 'half of it')),
  )
  const good = await startTarget(t)
  const { gateway, outcomes } = await over(t, [stalling.origin, good.origin], { timeouts: { idle: '10m' } })
  assert.equal(String((await ask(gateway.port)).body), 'ok')
  await idle(gateway)
  await eventually(() => stalling.open.size === 0, 'its connection is closed')
  assert.deepEqual(reasons(outcomes), ['answered', 'answered'])
})

async function headHttp2({ url }: Gateway): Promise<http2.IncomingHttpHeaders> {
  const session = http2.connect(url)
  const stream = session.request()
  const [headers] = await once(stream, 'response')
  stream.resume()
  await once(stream, 'close')
  session.close()
  return headers
}

test('a 204 has no length, whatever the target says; a 304 keeps the one of what it stands for', async (t) => {
  for (const [status, kept] of [
    [204, undefined],
    [304, '3'],
  ] as const) {
    const target = await startFaulty(t, ({ socket }) =>
      socket.write(wire(`HTTP/1.1 ${status} Nothing\nContent-Length: 3`)),
    )
    const gateway = await gatewayTo(t, target.origin, { server: { http2: true } })
    const answer = await ask(gateway.port)
    assert.deepEqual([answer.status, answer.complete], [status, true])
    assert.equal(answer.headers['content-length'], kept)
    const headers = await headHttp2(gateway)
    assert.equal(headers[':status'], status)
    assert.equal(headers['content-length'], kept)
  }
})
