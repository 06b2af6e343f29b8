import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test } from 'node:test'
import { eventually } from '../support.ts'
import { answering, byteServer, OK, pass, poolTo, send } from './support.ts'

test('a target that refuses fails all that wait for it, and is tried again', async (t) => {
  const { port, server } = await answering(t, () => OK)
  server.close()
  await pass()
  const pool = poolTo(t, port, { connections: 2 })
  const all = await Promise.all([1, 2, 3, 4, 5].map(() => send(pool).over))
  for (const { error, starts } of all) assert.deepEqual([error?.code, starts], ['ECONNREFUSED', 0])
  assert.deepEqual(pool.stats, { connected: 0, free: 0, running: 0, queued: 0 })
  server.listen(port, '127.0.0.1')
  assert.equal((await send(pool).over).body, 'ok')
})

test('a connection that takes too long, and one that cannot even be begun', async (t) => {
  // Secure, so that it waits for an event that never comes.
  const { port } = await byteServer(t, () => {})
  const slow = poolTo(t, port, { secure: true, connectTimeout: 30 })
  assert.equal((await send(slow).over).error?.code, 'UND_ERR_CONNECT_TIMEOUT')
  const broken = poolTo(t, port, {
    connect: () => {
      throw new Error('no such thing')
    },
  })
  assert.equal((await send(broken).over).error?.message, 'no such thing')
  assert.equal(broken.stats.queued, 0)
})

test('a connection that cannot be made takes one request along; for the others who wait there is another', async (t) => {
  const { port } = await answering(t, (head) => (head.includes('/long') ? undefined : OK))
  let broken = 0
  for (const fails of [
    () => connect(1, '127.0.0.1'),
    () => {
      throw Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })
    },
  ]) {
    const pool = poolTo(t, port, {
      connections: 2,
      connect: () => (broken-- > 0 ? fails() : connect(port, '127.0.0.1')),
    })
    const long = send(pool, { path: '/long' })
    await eventually(() => pool.stats.running === 1, 'one is under way')
    broken = 1
    const all = await Promise.all([1, 2, 3, 4, 5].map(() => send(pool).over))
    assert.deepEqual(
      all.map(({ error, body }) => error?.code ?? body),
      ['ECONNREFUSED', 'ok', 'ok', 'ok', 'ok'],
    )
    assert.equal(long.ends, 0)
    await pool.destroy()
  }
})

test('close lets what is dispatched end, destroy does not', async (t) => {
  const { port } = await answering(t, (_head, socket) => {
    setTimeout(() => socket.write(OK), 20)
    return undefined
  })
  const pool = poolTo(t, port, { connections: 1 })
  const all = [send(pool), send(pool)]
  await pass(10)
  const closed = pool.close()
  assert.equal((await send(pool).over).error?.code, 'UND_ERR_CLOSED')
  await closed
  assert.deepEqual(
    all.map(({ body }) => body),
    ['ok', 'ok'],
  )
  assert.equal(pool.stats.connected, 0)

  const other = poolTo(t, port, { connections: 1 })
  const ended = [send(other), send(other)]
  await eventually(() => other.stats.running === 1, 'running')
  await other.destroy()
  for (const { error, ends } of ended) assert.deepEqual([error?.code, ends], ['UND_ERR_DESTROYED', 1])
  assert.equal((await send(other).over).error?.code, 'UND_ERR_DESTROYED')
  await poolTo(t, port).close()
})

test('a socket that was not given onread works as well', async (t) => {
  const { port } = await answering(t, () => OK)
  const pool = poolTo(t, port, { connect: () => connect(port, '127.0.0.1') })
  for (let i = 0; i < 2; i++) assert.equal((await send(pool).over).body, 'ok')
})
