import assert from 'node:assert/strict'
import { connect, type OnReadOpts, type Socket } from 'node:net'
import { test } from 'node:test'
import type { H1Controller } from '../../../plugins/transport/h1/types.ts'
import { eventually } from '../support.ts'
import { answering, byteServer, OK, pass, poolTo, send } from './support.ts'

const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'
const pauseShortly = (controller: H1Controller): void => {
  controller.pause()
  controller.resume()
}
const ALL = `HTTP/1.1 103 Early\r\n\r\n${CHUNKED}3\r\nabc\r\n3\r\ndef\r\n0\r\nx: y\r\n\r\n`

for (let size = 0; size < ALL.length; size++) {
  test(`the target ends the connection after ${size} of ${ALL.length} bytes`, async (t) => {
    const { port } = await answering(t, (_head, socket) => {
      socket.end(ALL.slice(0, size))
      return undefined
    })
    const pool = poolTo(t, port)
    const { ends, error, trailers } = await send(pool).over
    assert.deepEqual([ends, error?.code, trailers], [1, 'UND_ERR_SOCKET', undefined])
    assert.equal(pool.stats.connected, 0)
  })
}

for (const phase of ['onResponseStart', 'onResponseData', 'onResponseEnd'] as const) {
  for (const how of ['abort', 'throw'] as const) {
    test(`${how} in ${phase}`, async (t) => {
      const { port, sockets } = await answering(t, () => `${CHUNKED}1\r\na\r\n1\r\nb\r\n0\r\n\r\n`)
      const pool = poolTo(t, port, { connections: 1 })
      const warned: Error[] = []
      const listen = (warning: Error): unknown => warned.push(warning)
      process.on('warning', listen)
      t.after(() => process.off('warning', listen))
      const reason = new Error('enough')
      const act = (): void => {
        if (how === 'throw') throw reason
        first.controller?.abort(reason)
        first.controller?.abort(new Error('again'))
      }
      const first = send(pool, {}, { [phase]: act })
      const second = send(pool)
      await first.over
      await second.over
      const ended = phase === 'onResponseEnd'
      assert.deepEqual([first.ends, first.error], [1, ended ? undefined : reason])
      assert.equal(first.chunks.length, phase === 'onResponseStart' ? 0 : phase === 'onResponseData' ? 1 : 2)
      assert.equal(second.body, 'ab')
      // A request that is over has no say in the connection any more.
      assert.equal(sockets.length, ended && how === 'abort' ? 1 : 2)
      await pass(5)
      assert.equal(warned.length, ended && how === 'throw' ? 1 : 0)
    })
  }
}

test('aborted at its start, nothing is written and the connection is used by the next', async (t) => {
  const heads: string[] = []
  const { port, sockets } = await answering(t, (head) => {
    heads.push(head.slice(0, 6))
    return OK
  })
  const pool = poolTo(t, port, { connections: 1 })
  const first = send(pool, { path: '/1' })
  const reason = new Error('late')
  const second = send(pool, { path: '/2' }, { onRequestStart: (controller) => controller.abort(reason) })
  const thrown = send(pool, { path: '/3' }, { onRequestStart: () => assert.fail('thrown') })
  const fourth = send(pool, { path: '/4' })
  await Promise.all([first.over, second.over, thrown.over, fourth.over])
  assert.equal(second.error, reason)
  assert.equal(thrown.error?.message, 'thrown')
  assert.deepEqual([heads, sockets.length, second.ends], [['GET /1', 'GET /4'], 1, 1])
})

test('aborted while the target is silent, and the pool destroyed at the start', async (t) => {
  const { port, sockets } = await byteServer(t, (socket) => void socket.resume())
  const pool = poolTo(t, port)
  const silent = send(pool)
  await eventually(() => silent.starts === 1, 'started')
  silent.controller?.abort(new Error('waited'))
  assert.deepEqual([silent.error?.message, silent.ends, pool.stats.connected], ['waited', 1, 0])
  await eventually(() => sockets[0]?.closed === true, 'closed')
  const last = send(pool, {}, { onRequestStart: () => void pool.destroy() })
  assert.deepEqual([(await last.over).error?.code, last.ends], ['UND_ERR_DESTROYED', 1])
})

test('paused, nothing is delivered and the target is held up; resumed, all comes in its order', async (t) => {
  const size = 16 * 1024 * 1024
  const { port } = await answering(t, (_head, socket) => {
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`)
    socket.write(Buffer.alloc(size, 'x'))
    return undefined
  })
  let ours: Socket | undefined
  const open = (onread: OnReadOpts): Socket => {
    ours = connect({ port, host: '127.0.0.1', onread })
    return ours
  }
  const pool = poolTo(t, port, { connect: open })
  const got = send(pool, {}, { onResponseData: (controller) => controller.pause() })
  await eventually(() => got.chunks.length === 1, 'some')
  await pass(50)
  assert.equal(got.chunks.length, 1)
  assert.ok((ours?.bytesRead ?? size) <= 128 * 1024, 'held up')
  while (got.ends === 0) {
    got.controller?.resume()
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.equal(got.body.length, size)
  assert.equal(pool.stats.free, 1)
})

test('a pause holds back the rest of what was read, and the end', async (t) => {
  const { port } = await answering(t, () => ALL)
  const pool = poolTo(t, port)
  const got = send(pool, {}, { onResponseStart: (c) => c.pause(), onResponseData: (c) => c.pause() })
  const states: string[] = []
  await eventually(() => got.informational.length === 1, 'begun')
  for (let i = 0; i < 5; i++) {
    await pass(5)
    states.push(`${got.informational.length} ${got.status} ${got.body} ${got.ends}`)
    got.controller?.resume()
  }
  assert.deepEqual(states, ['1 0  0', '1 200  0', '1 200 abc 0', '1 200 abcdef 0', '1 200 abcdef 1'])
  assert.deepEqual(got.trailers, { x: 'y' })
  assert.equal(pool.stats.free, 1)
  assert.equal((await send(pool, {}, { onResponseData: pauseShortly }).over).body, 'abcdef')
})

test('resumed after the target has ended the connection, all that it sent comes', async (t) => {
  const { port } = await answering(t, (_head, socket) => {
    socket.end(`HTTP/1.1 200 OK\r\n\r\n${'x'.repeat(300_000)}`)
    return undefined
  })
  const got = send(poolTo(t, port), {}, { onResponseData: (controller) => controller.pause() })
  while (got.ends === 0) {
    await pass(1)
    got.controller?.resume()
  }
  assert.deepEqual([got.body.length, got.error], [300_000, undefined])
})

test('a malformed or too long head ends the request and the connection', async (t) => {
  const { port } = await answering(t, (head) =>
    head.includes('/long')
      ? `HTTP/1.1 200 OK\r\nx: ${'x'.repeat(5000)}\r\n\r\n`
      : 'HTTP/1.1 200 OK\r\nx : y\r\n\r\n',
  )
  const pool = poolTo(t, port)
  const bad = await send(pool).over
  assert.deepEqual([bad.error?.name, bad.error?.code], ['HTTPParserError', 'HPE_INVALID_HEADER_TOKEN'])
  assert.equal((await send(pool, { path: '/long' }).over).error?.code, 'UND_ERR_HEADERS_OVERFLOW')
  assert.equal(pool.stats.connected, 0)
})

test('the answer of a HEAD has no body', async (t) => {
  const { port, sockets } = await answering(t, () => 'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n')
  const pool = poolTo(t, port)
  for (let i = 0; i < 2; i++) {
    const { headers, body } = await send(pool, { method: 'HEAD' }).over
    assert.deepEqual([headers, body], [{ 'content-length': '99' }, ''])
  }
  assert.equal(sockets.length, 1)
})
