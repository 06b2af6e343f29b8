import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LimitSource, sampleOf } from '../../plugins/adaptive-concurrency/source.ts'
import type { FailureReason, Outcome } from '../../plugins/upstreams/contract.ts'
import { readGateway } from '../support/config.ts'
import { loadedDice } from '../support/dice.ts'
import { startFaulty, wire } from '../support/faulty.ts'
import { ask, gatewayTo, idle, rawClient } from '../transport/support.ts'
import { leased, originOf, registryOf, request } from '../upstreams/support.ts'
import { DEFAULTS } from './support.ts'

const answered = (status: number): Outcome => ({ kind: 'answered', status, latencyMs: 7 })
const failed = (reason: FailureReason): Outcome => ({
  kind: 'failed',
  reason,
  requestSent: true,
  latencyMs: 7,
})
const samples: [what: string, outcome: Outcome, sample: number | undefined][] = [
  ['an answer', answered(200), 7],
  ['a 404', answered(404), 7],
  ['a quick error', answered(500), undefined],
  ['a 429', answered(429), undefined],
  ['a time-out', failed('timeout'), 7],
  ['a refused connection', failed('connect'), undefined],
  ['a reset', failed('reset'), undefined],
  ['our own full queue', failed('overflow'), undefined],
  ['a client that left', { kind: 'abandoned' }, undefined],
  ['an attempt that was overtaken', { kind: 'abandoned', overtakenAfterMs: 7 }, undefined],
]
for (const [what, outcome, sample] of samples) {
  test(`${sample === undefined ? 'no sample' : 'a sample'}: ${what}`, () =>
    assert.equal(sampleOf(outcome), sample))
}

function scene(targets: number) {
  const { registry, users, clock } = registryOf(Array.from({ length: targets }, () => 0))
  const source = new LimitSource((name) => (name === 'users' ? DEFAULTS : undefined), {
    now: clock.now,
    random: loadedDice(0),
  })
  for (const target of users.targets) source.follow(target)
  registry.addHealthSource(source)
  return { registry, users, clock, source }
}

test('each target takes as many as its limit; then all are busy, and one that ends makes room', () => {
  const { users } = scene(2)
  const leases = Array.from({ length: 40 }, () => leased(users.lease(request())))
  assert.deepEqual(
    users.targets.map(({ inflight }) => inflight),
    [20, 20],
  )
  assert.equal(users.lease(request()), 'overloaded')
  leases[0]!.release()
  assert.equal(leased(users.lease(request())).target, leases[0]!.target)
})

test('targets have limits of their own', () => {
  const { users, source } = scene(2)
  for (let i = 0; i < 50; i++) source.onOutcome(users.targets[0]!, answered(200), 0)
  assert.deepEqual(
    users.targets.map((target) => Math.round(source.limits.get(target)?.minRtt ?? -1)),
    [7, 0],
  )
})

test('a download that began before a measurement is not measured when it ends', () => {
  const { users, source, clock } = scene(1)
  const [target] = users.targets
  const once = (latencyMs: number): void => {
    const lease = leased(users.lease(request()))
    lease.settle({ ...answered(200), latencyMs } as Outcome)
    lease.release()
  }
  const known = (): number => Math.round(source.limits.get(target!)?.minRtt ?? -1)
  for (let i = 0; i < 50; i++) once(7)
  const download = leased(users.lease(request()))
  clock.advance(30_000)
  once(7)
  clock.advance(100)
  for (let i = 0; i < 49; i++) once(20)
  download.settle(answered(200))
  assert.equal(known(), 7)
  once(20)
  assert.equal(known(), 20)
})

test('a target that has gone, or whose upstream has no such limit, has none', async () => {
  const { users, source } = scene(2)
  const [gone] = users.targets
  source.forget(gone!)
  assert.equal(source.limit(gone!), undefined)
  assert.equal(source.admit(gone!, request()), true)
  source.onOutcome(gone!, answered(200), 0)
  const stranger = registryOf([0]).users.add({ origin: originOf(5) })
  source.follow({ ...stranger, upstream: 'other' })
  assert.equal(source.limit(stranger), undefined)
})

test('through a gateway: what a target cannot take is told to come back', async (t) => {
  const target = await startFaulty(t, ({ socket, head }) => {
    if (head.startsWith('GET /quick')) socket.write(wire('HTTP/1.1 200 OK\nContent-Length: 2', 'ok'))
  })
  const gateway = await gatewayTo(t, target.origin, {
    upstream: { adaptiveConcurrency: { minRttSamples: 4, initial: 4, max: 4 } },
  })
  const clients = [1, 2, 3, 4].map(() => rawClient(t, gateway.port))
  for (const { socket } of clients) socket.write('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n')
  await target.arrived(4)
  const refused = await ask(gateway.port, { url: '/quick' })
  assert.equal(refused.status, 503)
  assert.ok(Number(refused.headers['retry-after']) >= 1)
  for (const { socket } of clients) socket.destroy()
  await idle(gateway)
  for (let i = 0; i < 5; i++) assert.equal((await ask(gateway.port, { url: '/quick' })).status, 200)
})

test('limits that do not go together are refused with the remedy', async () => {
  const read = async (adaptiveConcurrency: unknown) => {
    const config = {
      upstreams: { u: { targets: [{ origin: 'http://a' }], adaptiveConcurrency } },
      routes: [],
    }
    return (await readGateway(config, 'test.config.ts')).problems.map(
      ({ path, message }) => `${path}: ${message}`,
    )
  }
  for (const fits of [{}, true, false, undefined]) assert.deepEqual(await read(fits), [])
  assert.equal((await read('yes')).length, 1, 'one mistake, one problem')
  assert.deepEqual(await read({ min: 50, max: 10 }), [
    'upstreams.u.adaptiveConcurrency.min: must not be above max (10), is 50; lower it or raise max',
  ])
  assert.deepEqual(await read({ max: 10 }), [
    'upstreams.u.adaptiveConcurrency.initial: must be from min (3) to max (10), is 20',
  ])
})
