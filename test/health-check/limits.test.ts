import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { checkHttp } from '../../plugins/health-check/checks/http.ts'
import { reasonFor } from '../../plugins/health-check/checks/run.ts'
import { atPort } from '../../plugins/health-check/checks/socket.ts'
import { checkTcp } from '../../plugins/health-check/checks/tcp.ts'
import { startFaulty, wire } from '../support/faulty.ts'
import { deadOrigin, startTarget } from '../support/target.ts'
import { until } from '../support/until.ts'
import { limits, listening, plainAt, question, secureAt } from './support.ts'

async function timed<T>(run: () => Promise<T>): Promise<[result: T, ms: number]> {
  const began = performance.now()
  const result = await run()
  return [result, performance.now() - began]
}

const stalls: [what: string, bytes: string, waiting: string][] = [
  ['says nothing', '', 'an answer'],
  ['sends half a head', 'HTTP/1.1 200 OK\r\nX-', 'an answer'],
  ['sends half a body', wire('HTTP/1.1 200 OK\nContent-Length: 10', 'abc'), 'the end of the answer'],
]
for (const [what, bytes, waiting] of stalls) {
  test(`a target that ${what} has failed when the time is up, and its connection is closed`, async (t) => {
    const target = await startFaulty(t, ({ socket }) => socket.write(bytes))
    const [result, ms] = await timed(() => checkHttp(plainAt(target.port), question(), limits(150)))
    assert.deepEqual(result, { ok: false, why: `timed out after 150 ms, waiting for ${waiting}` })
    assert.ok(ms >= 149 && ms < 5000, `${ms}`)
    await until('the connection to close', () => target.open.size === 0)
  })
}

test('a target that does not shake hands for TLS has failed when the time is up', async (t) => {
  const port = await listening(
    t,
    createServer(() => {}),
  )
  const result = await checkTcp(secureAt(port), limits(100))
  assert.deepEqual(result, { ok: false, why: 'timed out after 100 ms, waiting for the TLS handshake' })
})

test('tcp: a connection that is taken passes, one that is refused does not', async (t) => {
  const port = await listening(
    t,
    createServer((socket) => socket.on('error', () => {})),
  )
  assert.deepEqual(await checkTcp(plainAt(port), limits()), { ok: true })
  const dead = Number(new URL(await deadOrigin()).port)
  assert.deepEqual(await checkTcp(plainAt(dead), limits()), {
    ok: false,
    why: `connect ECONNREFUSED 127.0.0.1:${dead}`,
  })
})

test('the reason is never empty: where several addresses were tried, the first one speaks for all', () => {
  const refused = new Error('connect ECONNREFUSED ::1:80')
  assert.equal(reasonFor(new AggregateError([refused, new Error('other')])), 'connect ECONNREFUSED ::1:80')
  assert.equal(reasonFor(Object.assign(new Error(), { code: 'ECONNRESET' })), 'ECONNRESET')
  assert.equal(reasonFor(new Error()), 'failed')
})

test('a check that is stopped ends at once, connection and all', async (t) => {
  const target = await startFaulty(t, () => {})
  const controller = new AbortController()
  const stopped = { timeout: 60_000, signal: controller.signal }
  const check = checkHttp(plainAt(target.port), question(), stopped)
  await target.arrived(1)
  controller.abort()
  assert.deepEqual(await check, { ok: false, why: 'the check was stopped' })
  await until('the connection to close', () => target.open.size === 0)
  // And one that is stopped before it has begun connects to nobody.
  assert.equal((await checkHttp(plainAt(target.port), question(), stopped)).ok, false)
  assert.equal(target.accepted, 1)
})

test('a stall of the gateway does not fail the check: the answer that waits is read', async (t) => {
  const target = await startTarget(t)
  const check = checkHttp(plainAt(target.port), question(), limits(200))
  const end = performance.now() + 400
  while (performance.now() < end);
  assert.deepEqual(await check, { ok: true })
})

test('another port: the same server, and the name it is asked by has that port', () => {
  const tls = undefined
  const at = (host: string, hostHeader: string) =>
    atPort({ connect: { host, port: 80 }, hostHeader, tls }, 9000)
  assert.deepEqual(at('a', 'a'), { connect: { host: 'a', port: 9000 }, hostHeader: 'a:9000', tls })
  assert.equal(at('a', 'a:8080').hostHeader, 'a:9000')
  assert.equal(at('::1', '[::1]').hostHeader, '[::1]:9000')
  assert.equal(at('::1', '[::1]:8080').hostHeader, '[::1]:9000')
  const unix = { connect: { path: '/run/a.sock' }, hostHeader: 'localhost', tls }
  assert.equal(atPort(unix, 9000), unix)
})
