import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AttemptLoop } from '../../plugins/transport/loop.ts'
import { failed } from '../../plugins/transport/outcomes.ts'
import type { Running } from '../../plugins/transport/running.ts'
import type { Lease } from '../../plugins/upstreams/contract.ts'
import { startFaulty } from '../support/faulty.ts'
import { deadOrigin, startTarget } from '../support/target.ts'
import { ask, gatewayTo } from './support.ts'

const NONE = { upstream: { failover: { retries: 0 }, limits: { connections: 1, queue: 2 } } }

test('a 503 of the target is passed on after exactly one try, Retry-After and all', async (t) => {
  const target = await startTarget(t, (_seen, response) =>
    response.writeHead(503, { 'retry-after': '7', 'content-type': 'text/plain' }).end('busy'),
  )
  const { port } = await gatewayTo(t, target.origin, NONE)
  for (let i = 1; i <= 3; i++) {
    const { status, headers, body } = await ask(port)
    assert.equal(status, 503)
    assert.equal(headers['retry-after'], '7')
    assert.equal(body.toString(), 'busy')
    assert.equal(target.seen.length, i)
  }
})

test('a refused connection is a 502 that tells nothing of the inside', async (t) => {
  const origin = await deadOrigin()
  const { port } = await gatewayTo(t, origin, NONE)
  const { status, headers, body } = await ask(port)
  assert.equal(status, 502)
  assert.equal(headers['content-type'], 'application/problem+json')
  const problem = JSON.parse(body.toString())
  assert.equal(problem.code, 'GTW_UPSTREAM_UNREACHABLE')
  assert.doesNotMatch(body.toString() + JSON.stringify(headers), /127\.0\.0\.1|ECONN|connect |\.invalid/)
  assert.ok(!body.toString().includes(new URL(origin).port))
})

test('a target that hangs up without an answer is a 502 and is asked once', async (t) => {
  const target = await startFaulty(t, ({ socket }) => socket.destroy())
  const { port } = await gatewayTo(t, target.origin, NONE)
  const { status, body } = await ask(port, { method: 'POST', body: 'x' })
  assert.equal(status, 502)
  assert.equal(JSON.parse(body.toString()).code, 'GTW_UPSTREAM_RESET')
  assert.equal(target.requests.length, 1)
})

test('a body that is streamed and untouched moves to another target whole', async (t) => {
  const target = await startTarget(t)
  const dead = await deadOrigin()
  const { port } = await gatewayTo(t, [dead, target.origin], { server: { replayBody: 0 } })
  const body = Buffer.alloc(200_000, 'x')
  for (let i = 0; i < 4; i++) {
    const { status } = await ask(port, { method: 'PUT', headers: { 'Content-Length': body.length }, body })
    assert.equal(status, 200)
    assert.equal(target.seen.at(-1)?.body.length, body.length)
  }
})

test('an empty chunked body is sent again empty, and does not wait for an end that has been', async (t) => {
  const good = await startTarget(t)
  const bad = await startFaulty(t, ({ socket }) => setImmediate(() => socket.destroy()))
  const { port } = await gatewayTo(t, [bad.origin, good.origin])
  for (let i = 0; bad.requests.length === 0 && i < 50; i++) {
    const { status } = await ask(port, {
      method: 'PUT',
      headers: { 'Transfer-Encoding': 'chunked' },
      signal: AbortSignal.timeout(1000),
    })
    assert.equal(status, 200)
  }
  assert.equal(bad.requests.length, 1)
})

/** A loop that tells what was made of it. */
class Told extends AttemptLoop {
  readonly made: Running[] = []
  refused = 0

  begin(): void {
    this.launch(this.lease(), 'first')
  }

  stop(): void {
    this.end()
    this.refuse()
  }

  protected attempt(lease: Lease): Running {
    const one = { lease, record: {}, startedAt: 0, requestSent: false, over: false, send() {}, abandon() {} }
    this.made.push(one as Partial<Running> as Running)
    return one as Partial<Running> as Running
  }

  protected replayable(): boolean {
    return true
  }

  protected hedgeable(): boolean {
    return false
  }

  protected refuse(): void {
    this.refused++
  }
}

test('a request whose time is over between a failed attempt and the next one has no next one', async () => {
  const lease = (): Partial<Lease> => ({ target: {} as never, release() {} })
  const route = {
    upstream: { lease, offers: () => true },
    failover: () => ({ decide: () => ({ retry: true, delayMs: 0 }) }),
  }
  const loop = new Told(route as never, { upstream: 'main', key: '' } as never, 'GET', true)
  loop.begin()
  const gone = new Error('gone')
  loop.lost(loop.made[0] as Running, gone, failed(gone, false, 1))
  loop.stop()
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
  assert.deepEqual([loop.made.length, loop.refused], [1, 1])
})
