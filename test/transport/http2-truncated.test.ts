/** RFC 9113, 8.1: an answer is whole once END_STREAM has come. What ends in any other way is cut off. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import http2 from 'node:http2'
import { type TestContext, test } from 'node:test'
import { type FrameStream, startFrames } from '../support/http2-frames.ts'
import { ask, type Gateway, gatewayTo, idle } from './support.ts'

/** RFC 9113, 7: NO_ERROR to HTTP_1_1_REQUIRED. */
const CODES = Array.from({ length: 14 }, (_, code) => code)
const BROKEN: Readonly<Record<string, (stream: FrameStream) => void>> = {
  ...Object.fromEntries(CODES.map((code) => [`RST_STREAM(${code})`, (stream) => stream.reset(code)])),
  'a connection that ends': ({ socket }) => socket.end(),
  'a connection that is reset': ({ socket }) => socket.resetAndDestroy(),
  'GOAWAY(0) and the end of the connection': (stream) => {
    stream.goAway(2 ** 31 - 1, 0)
    stream.socket.end()
  },
  'a GOAWAY that leaves the stream out': (stream) => stream.goAway(0, 0),
}

/** A gateway to a target that breaks the first answer of each path `/once` and all of the others. */
async function breaking(t: TestContext, setup: object = {}) {
  let how: (stream: FrameStream) => void = () => {}
  let length: number | undefined
  let broken = 0
  const target = await startFrames(t, (stream) => {
    stream.head(length === undefined ? {} : { length })
    stream.data('half ')
    if (broken > 0) {
      broken--
      // A moment later: what streams is on its way to the client by then.
      setTimeout(() => how(stream), 10)
    } else stream.data('half ', true)
  })
  const gateway = await gatewayTo(t, target.origin, {
    ...setup,
    upstream: { http2: true, ...(setup as { upstream?: object }).upstream },
  })
  return {
    gateway,
    target,
    next(to: (stream: FrameStream) => void, times: number, said?: number): void {
      how = to
      broken = times
      length = said
    },
  }
}

/** What a client of HTTP/2 makes of the answer. */
async function askHttp2(t: TestContext, { port }: Gateway): Promise<{ status: number; whole: boolean }> {
  const session = http2.connect(`http://127.0.0.1:${port}`)
  t.after(() => session.destroy())
  session.on('error', () => {})
  const stream = session.request({ ':path': '/' })
  const [headers] = await once(stream, 'response')
  let whole = true
  stream.on('error', () => {
    whole = false
  })
  stream.resume()
  await new Promise((resolve) => stream.once('close', resolve))
  session.close()
  return { status: Number(headers[':status']), whole: whole && stream.rstCode === 0 }
}

test('a gathered answer of HTTP/2 that is cut off is tried again', async (t) => {
  const { gateway, target, next } = await breaking(t, { upstream: { gatherWithin: '10s' } })
  for (const [name, how] of Object.entries(BROKEN)) {
    for (const length of [undefined, 10]) {
      const before = target.requests()
      next(how, 1, length)
      const answer = await ask(gateway.port)
      assert.deepEqual([answer.status, answer.complete, String(answer.body)], [200, true, 'half half '], name)
      assert.equal(target.requests() - before, 2, `${name}: a second attempt`)
    }
  }
  await idle(gateway)
})

test('a gathered answer of HTTP/2 that stays cut off is a 502', async (t) => {
  const { gateway, next } = await breaking(t, {
    upstream: { gatherWithin: '10s', failover: { retries: 0 } },
    server: { http2: true },
  })
  for (const [name, how] of Object.entries(BROKEN)) {
    next(how, 100)
    const answer = await ask(gateway.port)
    assert.equal(answer.status, 502, name)
    assert.match(String(answer.body), /GTW_UPSTREAM_RESET/, name)
    assert.equal((await askHttp2(t, gateway)).status, 502, name)
  }
  await idle(gateway)
})

test('a streamed answer of HTTP/2 that is cut off is cut off for the client', async (t) => {
  const { gateway, next } = await breaking(t, {
    upstream: { gatherWithin: 0, gatherResponse: 0 },
    server: { http2: true },
  })
  for (const [name, how] of Object.entries(BROKEN)) {
    for (const length of [undefined, 10]) {
      next(how, 100, length)
      const { status, complete } = await ask(gateway.port)
      // Where the head had not left yet, it may be an error still.
      assert.deepEqual([status, complete], status === 502 ? [502, true] : [200, false], name)
      const second = await askHttp2(t, gateway)
      assert.deepEqual(second, { status: second.status, whole: second.status === 502 }, name)
    }
  }
  await idle(gateway)
})

test('an answer that is whole stays so though its stream is reset behind it', async (t) => {
  const target = await startFrames(t, (stream) => {
    stream.head()
    stream.data('whole', true)
    // RFC 9113, 8.1: to say that the rest of the request is not wanted.
    stream.reset(0)
  })
  for (const gatherWithin of [0, '10s']) {
    const gateway = await gatewayTo(t, target.origin, { upstream: { http2: true, gatherWithin } })
    const body = Buffer.alloc(200_000)
    for (const method of ['GET', 'POST']) {
      const answer = await ask(gateway.port, method === 'GET' ? {} : { method, body })
      assert.deepEqual([answer.status, answer.complete, String(answer.body)], [200, true, 'whole'], method)
    }
    await idle(gateway)
  }
})

test('an answer without a body is whole with its head', async (t) => {
  const target = await startFrames(t, (stream) => stream.head({ status: 404, end: true }))
  const gateway = await gatewayTo(t, target.origin, { upstream: { http2: true } })
  for (const method of ['GET', 'HEAD']) assert.equal((await ask(gateway.port, { method })).status, 404)
})
