/** Whose time a request takes: the target's, or the gateway's and the client's. All bounds are lower ones. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import type { RequestEnd } from '../../plugins/config/request-end.ts'
import type { Exchange } from '../../plugins/upstreams/exchange.ts'
import { startFaulty, type WireRequest, wire } from '../support/faulty.ts'
import { ask, eventually, gatewayTo, rawClient } from './support.ts'

const SILENT_MS = 200
/** The gateway may be slow to begin, in one process with its target and on a busy machine. */
const NEARLY = SILENT_MS / 2
const silence = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, SILENT_MS))
const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'

/** A gateway whose requests tell how long they took, and who was waited for. */
async function timed(t: TestContext, script: (request: WireRequest) => unknown, upstream: object = {}) {
  const target = await startFaulty(t, script)
  const ends: { end: RequestEnd; upstreamMs: number; restMs: number }[] = []
  const gateway = await gatewayTo(t, target.origin, {
    upstream,
    use: async (app) => {
      app.onRequestEnd(({ exchange }, _reply, end) => {
        const { upstreamMs } = exchange as Exchange
        ends.push({ end, upstreamMs, restMs: end.totalMs - upstreamMs })
      })
    },
  })
  const ended = async () => {
    await eventually(() => ends.length > 0, 'the request has ended')
    const [one] = ends
    assert.equal(ends.length, 1)
    assert.ok(one !== undefined && one.restMs >= -1e-6, JSON.stringify(one))
    return one
  }
  return { target, gateway, ended }
}

const HEADS = {
  'an event stream': 'Content-Type: text/event-stream',
  'a chunked answer': 'Content-Type: text/plain\nTransfer-Encoding: chunked',
  'a gathered answer': 'Content-Type: text/plain\nContent-Length: 12',
  'a long answer': 'Content-Type: text/plain\nContent-Length: 100012',
}
for (const [name, fields] of Object.entries(HEADS)) {
  test(`the silence of a target in the middle of ${name} is the target’s time`, async (t) => {
    const chunked = fields.includes('chunked')
    const piece = (text: string) => (chunked ? `${text.length.toString(16)}\r\n${text}\r\n` : text)
    const { gateway, ended } = await timed(t, async ({ socket }) => {
      socket.write(wire(`HTTP/1.1 200 OK\n${fields}`, ''))
      for (const text of ['first ', 'second']) {
        await silence()
        socket.write(piece(text))
      }
      if (name === 'a long answer') socket.write(Buffer.alloc(100_000, '.'))
      if (chunked) socket.write('0\r\n\r\n')
      if (name === 'an event stream') socket.end()
    })
    const { body } = await ask(gateway.port)
    assert.match(String(body), /^first second/)
    const { upstreamMs } = await ended()
    assert.ok(upstreamMs >= 2 * NEARLY, `${upstreamMs}`)
  })
}

for (const [name, head] of Object.entries({
  'before its head': undefined,
  'behind its head': 'HTTP/1.1 200 OK\nContent-Type: text/event-stream',
})) {
  test(`a client that leaves while a target is silent ${name} has waited for the target`, async (t) => {
    const { target, gateway, ended } = await timed(t, ({ socket }) => {
      if (head !== undefined) socket.write(wire(head, 'data: 1\n\n'))
    })
    const client = rawClient(t, gateway.port)
    client.socket.write(GET)
    await target.arrived(1)
    if (head !== undefined) await client.until('data: 1')
    await silence()
    client.socket.destroy()
    const { end, upstreamMs } = await ended()
    assert.equal(end.aborted, true)
    assert.ok(upstreamMs >= NEARLY, `${upstreamMs}`)
  })
}

test('a target that is given up since there is no more time has been waited for', async (t) => {
  const { gateway, ended } = await timed(t, () => {}, { timeouts: { total: SILENT_MS } })
  assert.equal((await ask(gateway.port)).status, 504)
  const { upstreamMs } = await ended()
  assert.ok(upstreamMs >= NEARLY, `${upstreamMs}`)
})

test('a client that takes its answer slowly is not the target’s time', async (t) => {
  const body = Buffer.alloc(20_000_000, '.')
  const { gateway, ended } = await timed(t, ({ socket }) =>
    socket.write(wire(`HTTP/1.1 200 OK\nContent-Length: ${body.length}`, body.toString('latin1'))),
  )
  const { socket } = rawClient(t, gateway.port)
  socket.write(GET.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'))
  await once(socket, 'data')
  socket.pause()
  await silence()
  await silence()
  socket.resume()
  const { restMs } = await ended()
  assert.ok(restMs >= NEARLY, `${restMs}`)
})

test('the pause before a further attempt, and attempts beside each other, count once', async (t) => {
  const { target, gateway, ended } = await timed(t, async ({ socket, number }) => {
    await silence()
    socket.write(
      number === 0
        ? wire('HTTP/1.1 503 Busy\nContent-Length: 0', '')
        : wire('HTTP/1.1 200 OK\nContent-Length: 0', ''),
    )
  })
  assert.equal((await ask(gateway.port)).status, 200)
  assert.equal(target.requests.length, 2)
  const { upstreamMs } = await ended()
  assert.ok(upstreamMs >= 2 * NEARLY, `${upstreamMs}`)
})
