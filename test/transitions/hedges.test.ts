/** Attempts beside each other, for as long as a fault lasts: when another one is begun, where, and what the client gets. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Target } from '../../plugins/upstreams/contract.ts'
import type { Veto } from '../../plugins/upstreams/health-source.ts'
import { seededDice } from '../support/dice.ts'
import {
  answers,
  type Behaviour,
  type Result,
  refuses,
  resets,
  silent,
  type VirtualGateway,
  virtualGateway,
} from '../support/virtual.ts'

const dice = seededDice(3)
/** Answers after a time that is uniform from `min` to `max` milliseconds. */
const within =
  (min: number, max: number): Behaviour =>
  (wire) =>
    answers(min + (max - min) * dice())(wire)
const stalls =
  (min: number, max: number): Behaviour =>
  ({ start, after, head }) => {
    start()
    after(min + (max - min) * dice(), () => head(200, {}))
  }
const set = ({ behaviours }: VirtualGateway, behaviour: Behaviour) => behaviours.fill(behaviour)
const slower = (results: readonly Result[], ms: number) =>
  results
    .filter(({ method, status, took }) => method !== 'POST' && (status !== 200 || took > ms))
    .map(({ sentAt, status, took }) => `at ${sentAt}: ${status} after ${took} ms`)

test('two of three frozen: no GET waits, for as long as it lasts', async (t) => {
  const gateway = await virtualGateway(t)
  set(gateway, within(20, 40))
  await gateway.load({ ms: 8000, everyMs: 7 })
  gateway.behaviours[0] = silent
  gateway.behaviours[1] = silent
  const results = await gateway.load({ ms: 20_000, everyMs: 7 })
  await gateway.pass(2000)
  assert.deepEqual(slower(results, 500), [])
})

/** Marks targets down as a check would. */
function checksOf({ app }: VirtualGateway, veto: Veto = 'unhealthy'): (target: Target) => void {
  const down = new Set<Target>()
  app.upstreams.addHealthSource({ name: 'checks', allows: (target) => !down.has(target), veto: () => veto })
  return (target) => {
    down.add(target)
    app.upstreams.changed(target)
    const why = 'no answer'
    app.upstreams.announce({ name: 'unhealthy', upstream: 'main', target, by: 'checks', why, level: 'warn' })
  }
}
const POOR = { failover: { hedge: { after: '10ms', maxExtra: 0, minPerSecond: 0 } } }

test('what finds out about targets that are down is helped although there is no budget for hedges', async (t) => {
  const gateway = await virtualGateway(t, { upstream: { ...POOR, outlierDetection: false } })
  const down = checksOf(gateway)
  await gateway.load({ ms: 1000, everyMs: 7 })
  for (const i of [0, 1]) {
    gateway.behaviours[i] = silent
    down(gateway.targets[i] as Target)
  }
  const before = [...gateway.sent]
  const results = await gateway.load({ ms: 10_000, everyMs: 7 })
  await gateway.pass(100)
  assert.deepEqual(slower(results, 150), [])
  assert.ok((gateway.sent[0] as number) > (before[0] as number), 'nothing was found out')
})

test('who waits at two targets when both are taken out goes to the third at once', async (t) => {
  const gateway = await virtualGateway(t, {
    upstream: {
      outlierDetection: false,
      failover: { hedge: { after: '10ms', maxExtra: 0, minPerSecond: 0.1 } },
    },
  })
  const down = checksOf(gateway)
  set(gateway, silent)
  const result = gateway.send()
  await gateway.pass(50)
  set(gateway, answers())
  const tried = result.exchange.attempts.map(({ target }) => target)
  assert.equal(tried.length, 2)
  for (const target of tried) down(target)
  await gateway.pass(5)
  assert.equal(result.status, 200)
})

for (const [name, behaviour, methods] of [
  ['refuses', refuses, ['GET', 'POST']],
  ['answers 503', answers(1, 503), ['GET']],
  ['is frozen', silent, ['GET']],
] as const) {
  test(`the last target that is left ${name}: one that is believed to fail, and does not, serves as a last resort`, async (t) => {
    for (const veto of ['unhealthy', 'barred'] as const) {
      await t.test(veto, async (t) => {
        const gateway = await virtualGateway(t, { tiers: [0, 0], upstream: { outlierDetection: false } })
        const down = checksOf(gateway, veto)
        await gateway.load({ ms: 1000, everyMs: 10 })
        down(gateway.targets[0] as Target)
        await gateway.load({ ms: 100, everyMs: 10 })
        gateway.behaviours[1] = behaviour
        const before = gateway.sent[0]
        const results = methods.map((method) => gateway.send(method))
        await gateway.pass(500)
        if (veto === 'unhealthy')
          assert.deepEqual(
            results.map(({ status }) => status),
            methods.map(() => 200),
          )
        else assert.equal(gateway.sent[0], before, 'who is barred is not used whatever happens')
      })
    }
  })
}

test('a last resort that is silent is helped at a target that was tried', async (t) => {
  const gateway = await virtualGateway(t, { tiers: [0, 0], upstream: { outlierDetection: false } })
  const down = checksOf(gateway)
  await gateway.load({ ms: 1000, everyMs: 10 })
  gateway.behaviours[0] = silent
  down(gateway.targets[0] as Target)
  await gateway.load({ ms: 100, everyMs: 10 })
  gateway.behaviours[1] = resets
  const result = gateway.send()
  await gateway.pass(5)
  gateway.behaviours[1] = answers()
  await gateway.pass(1000)
  assert.deepEqual(
    result.exchange.attempts.map(({ target }) => gateway.targets.indexOf(target)),
    [1, 0, 1],
  )
  assert.equal(result.status, 200)
})

test('a hedge that there was no budget for is made when there is', async (t) => {
  const gateway = await virtualGateway(t, {
    tiers: [0, 0],
    upstream: {
      outlierDetection: false,
      failover: { hedge: { after: '30ms', maxExtra: 0, minPerSecond: 0.1 } },
    },
  })
  set(gateway, silent)
  const waiting = [gateway.send(), gateway.send()]
  await gateway.pass(20)
  set(gateway, answers())
  await gateway.pass(40)
  assert.deepEqual(waiting.map(({ status }) => status).sort(), [0, 200])
  await gateway.pass(20_000)
  assert.deepEqual(
    waiting.map(({ status }) => status),
    [200, 200],
  )
})

test('a target of 50 to 300 ms that stalls in the middle of its chunks costs no GET', async (t) => {
  const gateway = await virtualGateway(t, {
    upstream: { outlierDetection: false, failover: { hedge: { maxExtra: 1 } } },
  })
  set(gateway, within(50, 300))
  await gateway.load({ ms: 8000, everyMs: 16, postEvery: Number.POSITIVE_INFINITY })
  gateway.behaviours[2] = stalls(50, 300)
  const results = await gateway.load({ ms: 15_000, everyMs: 16, postEvery: Number.POSITIVE_INFINITY })
  await gateway.pass(1000)
  const cut = results.filter(({ exchange }) =>
    exchange.attempts.some(({ target, decision }) => target === gateway.targets[2] && decision === 'commit'),
  )
  // A hedge of a hundred takes about as long as any answer does.
  assert.ok(cut.length <= 0.01 * results.length, `${cut.length} of ${results.length} answers are cut`)
})

for (const [name, status, config] of [
  ['a slow 500 that a hedge was made for', 500, {}],
  ['a 503 that is retried', 503, {}],
] as const) {
  test(`${name} is not thrown away for a target that never answers`, async (t) => {
    const gateway = await virtualGateway(t, {
      tiers: [0, 0],
      upstream: { outlierDetection: false, ...config },
    })
    await gateway.load({ ms: 1000, everyMs: 10 })
    gateway.behaviours[0] = answers(60, status)
    gateway.behaviours[1] = silent
    const results = await gateway.load({ ms: 1000, everyMs: 100, postEvery: Number.POSITIVE_INFINITY })
    await gateway.pass(1500)
    assert.deepEqual(
      results.map((one) => one.status),
      results.map(() => status),
    )
    gateway.assertIdle()
    // One that answers, though it takes long, is waited for.
    gateway.behaviours[1] = answers(300)
    const well = await gateway.load({ ms: 1000, everyMs: 100, postEvery: Number.POSITIVE_INFINITY })
    await gateway.pass(1500)
    assert.deepEqual(slower(well, 400), [])
    gateway.assertIdle()
  })
}

test('a client that leaves while an error is kept for it, or the time that is over: nothing is left', async (t) => {
  const gateway = await virtualGateway(t, {
    tiers: [0, 0],
    upstream: { outlierDetection: false, timeouts: { total: '500ms' } },
  })
  await gateway.load({ ms: 1000, everyMs: 10 })
  gateway.behaviours[0] = answers(1, 503)
  gateway.behaviours[1] = silent
  const [first, second] = [gateway.send(), gateway.send()]
  await gateway.pass(100)
  first.leave()
  await gateway.pass(500)
  assert.equal(second.status, 503, 'the error says more than a time-out')
  gateway.assertIdle()
})

/** Requests of which some are polls, told apart by their method. */
async function withPolls(
  gateway: VirtualGateway,
  { ms, polls }: { ms: number; polls: number },
): Promise<Result[]> {
  const results: Result[] = []
  for (const end = gateway.now() + ms; gateway.now() < end; await gateway.pass(7))
    results.push(gateway.send(dice() < polls ? 'PUT' : 'GET'))
  return results
}
/** A poll takes three seconds, if the target is not frozen by then. */
const polled =
  (frozen = () => false): Behaviour =>
  ({ method, start, after, answer }) => {
    start()
    after(method === 'PUT' ? 3000 : 2 + 3 * dice(), () => {
      if (!frozen()) answer(200)
    })
  }

test('a long poll is hedged once: that the hedge takes as long says that it is the request', async (t) => {
  const gateway = await virtualGateway(t)
  set(gateway, polled())
  const results = await withPolls(gateway, { ms: 15_000, polls: 0.04 })
  await gateway.pass(4000)
  const polls = results.filter(({ method }) => method === 'PUT')
  const twice = polls.filter(({ exchange }) => exchange.attempts.length > 2)
  // Where a target happens to have nothing else to do for a while, it may seem silent.
  assert.ok(twice.length <= 0.2 * polls.length, `${twice.length} of ${polls.length} are hedged twice`)
  assert.deepEqual(gateway.events, [])
})

test('where polls are the p95, a GET at a frozen target waits no longer than a poll does', async (t) => {
  const gateway = await virtualGateway(t)
  let frozen = false
  set(gateway, polled())
  gateway.behaviours[0] = polled(() => frozen)
  await withPolls(gateway, { ms: 15_000, polls: 0.1 })
  frozen = true
  const results = await withPolls(gateway, { ms: 8000, polls: 0.1 })
  await gateway.pass(5000)
  const short = results.filter(({ method }) => method === 'GET')
  // At most so long: after a poll the silence of its target is usual for a while.
  assert.deepEqual(slower(short, 3200), [])
})

for (const [min, max, everyMs] of [
  [5, 50, 5],
  [20, 100, 50],
  [50, 300, 10],
] as const) {
  test(`a standby in reserve is not bothered by a primary of ${min} to ${max} ms that is well`, async (t) => {
    const gateway = await virtualGateway(t, { tiers: [0, 1] })
    gateway.behaviours[0] = within(min, max)
    const results = await gateway.load({ ms: 25_000, everyMs })
    await gateway.pass(400)
    assert.deepEqual(slower(results, max + 1), [])
    assert.equal(gateway.sent[1], 0)
    gateway.behaviours[0] = silent
    assert.deepEqual(slower(await gateway.load({ ms: 2000, everyMs }), 1500), [])
  })
}
