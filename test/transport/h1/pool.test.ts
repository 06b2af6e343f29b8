import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { H1Controller } from '../../../plugins/transport/h1/types.ts'
import { eventually } from '../support.ts'
import { answering, OK, poolTo, Recorder, send } from './support.ts'

const length = (text: string): string => `HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`

test('a connection is used again; the head goes out as it was given', async (t) => {
  const heads: string[] = []
  const { port, sockets } = await answering(t, (head) => {
    heads.push(head)
    return OK
  })
  const pool = poolTo(t, port)
  for (let i = 0; i < 3; i++) {
    const { status, body, headers, trailers, starts, ends } = await send(pool, { path: `/${i}` }).over
    assert.deepEqual([status, body, headers, trailers], [200, 'ok', { 'content-length': '2' }, {}])
    assert.deepEqual([starts, ends], [1, 1])
    await eventually(() => pool.stats.free === 1, 'free')
  }
  assert.equal(sockets.length, 1)
  assert.equal(heads[2], 'GET /2 HTTP/1.1\r\nhost: a\r\nconnection: keep-alive\r\n\r\n')
  assert.deepEqual(pool.stats, { connected: 1, free: 1, running: 0, queued: 0 })
})

test('more than there are connections wait in their order, and each start tells of a connection', async (t) => {
  const paths: string[] = []
  const { port, sockets } = await answering(t, (head) => {
    paths.push(head.slice(4, 6))
    return OK
  })
  const pool = poolTo(t, port, { connections: 1 })
  const all = [1, 2, 3, 4, 5].map((i) => send(pool, { path: `/${i}` }))
  assert.equal(pool.stats.queued, 5)
  assert.equal(all[0]?.starts, 0)
  await Promise.all(all.map(({ over }) => over))
  assert.deepEqual(paths, ['/1', '/2', '/3', '/4', '/5'])
  assert.equal(sockets.length, 1)
})

test('the connection that was used last is used first', async (t) => {
  const used: number[] = []
  const { port } = await answering(t, (_head, _socket, connection) => {
    used.push(connection)
    return OK
  })
  const pool = poolTo(t, port)
  await Promise.all([send(pool).over, send(pool).over, send(pool).over])
  await send(pool).over
  const last = used.at(-1)
  for (let i = 0; i < 3; i++) await send(pool).over
  assert.deepEqual(used.slice(-3), [last, last, last])
})

for (const [name, answer] of [
  ['Connection: close', 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok'],
  ['HTTP/1.0', 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok'],
  ['Keep-Alive: timeout=1', 'HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 2\r\n\r\nok'],
  ['bytes behind the response', `${OK}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil`],
] as const) {
  test(`no reuse after ${name}`, async (t) => {
    const { port, sockets } = await answering(t, () => answer)
    const pool = poolTo(t, port)
    for (let i = 0; i < 3; i++) assert.equal((await send(pool).over).body, 'ok')
    assert.equal(sockets.length, 3)
  })
}

test('a response may end with the connection', async (t) => {
  const { port } = await answering(t, (_head, socket) => {
    socket.end('HTTP/1.1 200 OK\r\n\r\nall of it')
    return undefined
  })
  const { body, error } = await send(poolTo(t, port)).over
  assert.deepEqual([body, error], ['all of it', undefined])
})

test('unasked bytes on an idle connection are never an answer (GHSA-35p6-xmwp-9g52)', async (t) => {
  const { port, sockets } = await answering(t, () => OK)
  const pool = poolTo(t, port)
  await send(pool).over
  // The bytes are here, but not looked at yet, when the next request is dispatched.
  const { body } = await new Promise<Recorder>((resolve) => {
    setTimeout(() => {
      sockets[0]?.write(length('poison'))
      resolve(send(pool).over)
    }, 5)
  })
  assert.equal(body, 'ok')
})

test('an idle connection that the target closes is thrown away before use', async (t) => {
  const { port, sockets } = await answering(t, (_head, socket, connection) => {
    if (connection === 0) setTimeout(() => socket.end(), 5)
    return OK
  })
  const pool = poolTo(t, port)
  await send(pool).over
  await eventually(() => pool.stats.connected === 0, 'closed')
  assert.equal((await send(pool).over).body, 'ok')
  assert.equal(sockets.length, 2)
})

test('the race of a close with a request is told once, whether there was some of an answer or not', async (t) => {
  const { port } = await answering(t, (_head, socket, connection, turn) => {
    if (turn === 0) return OK
    if (connection === 0) socket.resetAndDestroy()
    else socket.end('HTTP/1.1 2')
    return undefined
  })
  const pool = poolTo(t, port)
  for (let connection = 0; connection < 2; connection++) {
    assert.equal((await send(pool).over).body, 'ok')
    const { error, ends } = await send(pool).over
    assert.match(error?.code ?? '', /^(?:ECONNRESET|UND_ERR_SOCKET)$/)
    assert.equal(ends, 1)
  }
})

test('idle connections are closed in time, sooner if the target says so', async (t) => {
  const { port } = await answering(
    t,
    () => 'HTTP/1.1 200 OK\r\nKeep-Alive: timeout=2\r\nContent-Length: 0\r\n\r\n',
  )
  const short = poolTo(t, port, { keepAliveTimeout: 60 })
  const hinted = poolTo(t, port, { keepAliveTimeout: 60_000 })
  await Promise.all([send(short).over, send(hinted).over])
  await eventually(() => short.stats.connected === 0, 'closed')
  assert.equal(hinted.stats.free, 1)
  await eventually(() => hinted.stats.connected === 0, 'closed')
})

test('an idle connection whose time is up is not used, though nobody had the time to close it', async (t) => {
  const { port, sockets } = await answering(t, () => OK)
  const pool = poolTo(t, port, { keepAliveTimeout: 60 })
  await send(pool).over
  await eventually(() => pool.stats.free === 1, 'free')
  const end = performance.now() + 80
  while (performance.now() < end);
  assert.deepEqual([(await send(pool).over).body, sockets.length], ['ok', 2])
})

test('requests that are aborted while they wait leave the queue, wherever they stand in it', async (t) => {
  const paths: string[] = []
  const { port } = await answering(t, (head, socket) => {
    paths.push(head.slice(4, 6))
    setTimeout(() => socket.write(OK), 50)
    return undefined
  })
  const pool = poolTo(t, port, { connections: 1 })
  const controllers: H1Controller[] = []
  const all = [0, 1, 2, 3, 4, 5].map((i) => {
    const recorder = Object.assign(new Recorder(), {
      onRequestQueued: (controller: H1Controller) => void controllers.push(controller),
    })
    pool.dispatch({ method: 'GET', path: `/${i}`, headers: ['host', 'a'], body: null }, recorder)
    return recorder
  })
  await eventually(() => paths.length === 1, 'the first is sent')
  for (const i of [3, 5, 1]) {
    controllers[i]?.abort()
    controllers[i]?.abort()
    assert.ok((await all[i]?.over)?.error)
  }
  assert.equal(pool.stats.queued, 2)
  assert.deepEqual([(await all[2]?.over)?.body, (await all[4]?.over)?.body], ['ok', 'ok'])
  assert.deepEqual(paths, ['/0', '/2', '/4'])
  assert.deepEqual(pool.stats, { connected: 1, free: 1, running: 0, queued: 0 })
})
