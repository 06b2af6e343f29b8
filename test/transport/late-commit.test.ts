/** An answer that breaks before it is whole is a failed attempt and nothing that a client sees. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { holdFor } from '../../plugins/transport/hold.ts'
import { startFaulty, type WireRequest, wire } from '../support/faulty.ts'
import { ask, gatewayTo, idle, rawClient } from './support.ts'

const later = (run: () => void): void => void setTimeout(run, 15)
const WHOLE = wire('HTTP/1.1 200 OK\nContent-Type: text/plain\nContent-Length: 5', 'whole')
const CHUNKED = 'HTTP/1.1 200 OK\nContent-Type: text/plain\nTransfer-Encoding: chunked'
const LENGTH = 'HTTP/1.1 200 OK\nContent-Type: text/plain\nX-From: the one that broke\nContent-Length: 50'

const BREAKS: readonly [string, (request: WireRequest) => void][] = [
  [
    'a reset',
    ({ socket }) => socket.write(wire(LENGTH, 'half'), () => later(() => socket.resetAndDestroy())),
  ],
  ['an early end', ({ socket }) => socket.end(wire(LENGTH, 'half'))],
  [
    'a reset between chunks',
    ({ socket }) =>
      socket.write(wire(CHUNKED, '5\r\nhello\r\n'), () => later(() => socket.resetAndDestroy())),
  ],
  ['an end between chunks', ({ socket }) => socket.end(wire(CHUNKED, '5\r\nhello\r\n'))],
  ['garbage for a chunk', ({ socket }) => socket.write(wire(CHUNKED, '5\r\nhello\r\nno chunk\r\n'))],
]

for (const [name, script] of BREAKS) {
  test(`${name} in mid-body is not noticed: another target answers`, async (t) => {
    const broken = await startFaulty(t, script)
    const sound = await startFaulty(t, ({ socket }) => socket.write(WHOLE))
    const gateway = await gatewayTo(t, [broken.origin, sound.origin])
    for (let i = 0; i < 4; i++) {
      const { status, headers, body } = await ask(gateway.port)
      assert.equal(status, 200)
      assert.equal(body.toString(), 'whole')
      assert.equal(headers['x-from'], undefined, 'a header of the broken answer came through')
    }
    assert.ok(broken.requests.length > 0, 'the broken one was never asked')
    await idle(gateway)
  })
}

test('a chunked answer that takes its time is streamed once gatherWithin is over', async (t) => {
  const target = await startFaulty(t, ({ socket }) => {
    socket.write(wire(CHUNKED, '5\r\nhello\r\n'))
  })
  const gateway = await gatewayTo(t, target.origin, { upstream: { gatherWithin: 60 } })
  const client = rawClient(t, gateway.port)
  const from = performance.now()
  client.socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  await client.until('hello')
  const passed = performance.now() - from
  assert.ok(passed >= 55, `the first piece came after ${passed} ms`)
  target.requests[0]?.socket.write('5\r\nworld\r\n0\r\n\r\n')
  await client.until('world')
  await client.closed
  await idle(gateway)
})

test('answers are streamed once the memory for bodies is used up', async (t) => {
  const target = await startFaulty(t, ({ socket }) => {
    socket.write(wire('HTTP/1.1 200 OK\nContent-Type: text/plain\nContent-Length: 6000', 'a'.repeat(3000)))
  })
  const gateway = await gatewayTo(t, target.origin, { server: { bodyMemory: 2000 } })
  const client = rawClient(t, gateway.port)
  client.socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  await client.until('aaa')
  target.requests[0]?.socket.write('b'.repeat(3000))
  await client.until('bbb')
  await client.closed
})

test('memory for bodies comes back, whichever way an exchange ends', async (t) => {
  const target = await startFaulty(t, ({ socket, number, head }) => {
    if (head.startsWith('POST')) {
      if (number % 3 === 0) socket.resetAndDestroy()
      else if (number % 3 === 1) socket.write(WHOLE)
    } else
      socket.write(wire('HTTP/1.1 200 OK\nContent-Length: 3000', 'a'.repeat(1500)), () =>
        number % 2 === 0 ? socket.write('b'.repeat(1500)) : socket.resetAndDestroy(),
      )
  })
  // Room for two bodies: what leaks makes the later ones stream, and a streamed body is cut visibly.
  const gateway = await gatewayTo(t, target.origin, {
    server: { bodyMemory: 6000 },
    upstream: { timeouts: { response: 60 }, failover: { retries: 0 } },
  })
  for (let i = 0; i < 12; i++) {
    await ask(gateway.port, { method: 'POST', body: 'x'.repeat(2500) })
    const { status, complete } = await ask(gateway.port)
    assert.ok(complete)
    assert.ok(status === 200 || status === 502, `${status}`)
  }
  await idle(gateway)
})

test('memory for bodies is not taken for a client that has left before its body was read', async (t) => {
  const target = await startFaulty(t, ({ socket }) =>
    socket.write(wire(LENGTH, 'half'), () => later(() => socket.resetAndDestroy())),
  )
  const gateway = await gatewayTo(t, target.origin, {
    server: { bodyMemory: 5000 },
    upstream: { failover: { retries: 0 } },
    use: async (app) => {
      app.addHook('onRequest', async () => new Promise((resolve) => setTimeout(resolve, 60)))
    },
  })
  for (let i = 0; i < 5; i++) {
    const client = rawClient(t, gateway.port)
    client.socket.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2500\r\n\r\n${'x'.repeat(2500)}`)
    setTimeout(() => client.socket.destroy(), 20)
    await client.closed
  }
  await new Promise((resolve) => setTimeout(resolve, 100))
  // Gathered, this is an error; streamed for want of memory, it would be cut.
  const { status, complete } = await ask(gateway.port)
  assert.deepEqual([status, complete], [502, true])
})

test('the idle deadline counts from the last piece and not from when the gathering ended', async (t) => {
  const target = await startFaulty(t, ({ socket }) => socket.write(wire(CHUNKED, '5\r\nhello\r\n')))
  const gateway = await gatewayTo(t, target.origin, {
    upstream: { gatherWithin: 1900, timeouts: { idle: 2000 } },
  })
  const from = performance.now()
  const { status, complete } = await ask(gateway.port)
  const took = performance.now() - from
  assert.deepEqual([status, complete], [200, false])
  assert.ok(took >= 1995 && took < 3850, `${took} ms`)
})

/** Targets that take 100 ms to their head; the first one then says half of what it has to say. */
async function stalling(t: TestContext, more?: string) {
  const first = await startFaulty(t, ({ socket }) => {
    setTimeout(() => socket.write(wire(CHUNKED, '5\r\nhello\r\n')), 100)
    if (more !== undefined) setTimeout(() => socket.write(more), 140)
  })
  const second = await startFaulty(t, ({ socket }) => {
    if (more === undefined) setTimeout(() => socket.write(wire(CHUNKED, '5\r\nwhole\r\n0\r\n\r\n')), 100)
  })
  return gatewayTo(t, [], {
    upstream: {
      targets: [{ origin: first.origin }, { origin: second.origin, tier: 1 }],
      failover: { hedge: { after: '130ms', minPerSecond: 1000 } },
      timeouts: { idle: '5s' },
    },
  })
}

test('half an answer that has gone quiet does not win over a hedge that will be whole', async (t) => {
  const gateway = await stalling(t)
  const { status, body, complete } = await ask(gateway.port)
  assert.deepEqual([status, body.toString(), complete], [200, 'whole', true])
  await idle(gateway)
})

test('an answer that goes on coming is streamed, though a hedge is still under way', async (t) => {
  const gateway = await stalling(t, '5\r\nagain\r\n')
  const client = rawClient(t, gateway.port)
  client.socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await client.until('again')
  client.socket.destroy()
  await idle(gateway)
})

test('how long half an answer is held: for a hedge, and no longer than one would take', () => {
  const half = {
    quietMs: 50,
    usualMs: 200,
    gatherWithin: 50,
    besideMs: undefined,
    hedgeInMs: Number.POSITIVE_INFINITY,
  }
  assert.equal(holdFor(half), 0, 'nobody else will answer')
  assert.equal(holdFor({ ...half, hedgeInMs: 60 }), 80)
  assert.equal(holdFor({ ...half, hedgeInMs: 300 }), 0, 'too far off')
  assert.equal(holdFor({ ...half, besideMs: 10 }), 20)
  assert.equal(holdFor({ ...half, besideMs: 245 }), 5)
  assert.equal(holdFor({ ...half, besideMs: 250 }), 0, 'that one is no better')
  assert.equal(holdFor({ ...half, besideMs: 10, quietMs: 24 }), 0, 'it is coming')
  assert.equal(holdFor({ ...half, besideMs: 10, usualMs: undefined }), 0, 'nobody knows how long that takes')
  assert.equal(holdFor({ ...half, besideMs: 600, usualMs: 3000 }), 0, 'there is an end to it')
})
