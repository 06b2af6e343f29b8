/** What there is to be known of a target, and from whom: nothing is overlooked, and nothing is held against who is well. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  answers,
  type Result,
  refuses,
  silent,
  type VirtualGateway,
  virtualGateway,
} from '../support/virtual.ts'

const open = (results: readonly Result[], method?: string) =>
  results.filter((one) => one.status !== 200 && (method === undefined || one.method === method))
const ejected = ({ events }: VirtualGateway) => events.filter((event) => event.startsWith('ejected'))

/** Load by clients that leave when they have waited for `patience` milliseconds. */
async function impatient(
  gateway: VirtualGateway,
  { ms, everyMs, patience, method }: { ms: number; everyMs: number; patience: number; method: string },
): Promise<Result[]> {
  const results: Result[] = []
  for (const end = gateway.now() + ms; gateway.now() < end; await gateway.pass(everyMs)) {
    const result = gateway.send(method)
    results.push(result)
    setTimeout(() => {
      if (result.status === 0) result.leave()
    }, patience)
  }
  await gateway.pass(patience)
  return results
}

test('POSTs do not pile into a target that was frozen before the gateway knew it', async (t) => {
  const gateway = await virtualGateway(t)
  gateway.behaviours[0] = silent
  const results = await gateway.load({ ms: 20_000, everyMs: 16, postEvery: 1 })
  assert.ok(open(results).length <= 2, `${open(results).length} of ${results.length} POSTs are lost`)
})

test('nor into one that is added frozen: one after another finds out about it, later each time', async (t) => {
  const gateway = await virtualGateway(t)
  await gateway.load({ ms: 2000, everyMs: 16, postEvery: 1 })
  // Nobody listens there.
  gateway.app.upstreams.upstream('main').add({ origin: 'http://10.0.0.9:8080' })
  const results = await impatient(gateway, { ms: 60_000, everyMs: 16, patience: 1000, method: 'POST' })
  assert.ok(open(results).length <= 4, `${open(results).length} of ${results.length} POSTs are lost`)
})

test('clients that give up leave evidence: POSTs alone', async (t) => {
  const gateway = await virtualGateway(t)
  await impatient(gateway, { ms: 2000, everyMs: 16, patience: 1000, method: 'POST' })
  gateway.behaviours[0] = silent
  const results = await impatient(gateway, { ms: 25_000, everyMs: 16, patience: 1000, method: 'POST' })
  assert.ok(open(results).length <= 4, `${open(results).length} of ${results.length} POSTs are lost`)
})

test('clients that give up leave evidence: GETs without hedges', async (t) => {
  const gateway = await virtualGateway(t, { upstream: { failover: { hedge: false } } })
  await impatient(gateway, { ms: 2000, everyMs: 16, patience: 1000, method: 'GET' })
  gateway.behaviours[0] = silent
  const results = await impatient(gateway, { ms: 5000, everyMs: 16, patience: 1000, method: 'GET' })
  assert.deepEqual(ejected(gateway), ['ejected 0'])
  // A third of what comes in the second of their patience, and in the 200 ms in which that could be chance.
  assert.ok(open(results).length <= 30, `${open(results).length} of ${results.length} GETs are lost`)
})

test('a target that is still frozen when it comes back costs those who cannot be hedged one request at a time', async (t) => {
  const gateway = await virtualGateway(t, { upstream: { failover: { hedge: false } } })
  await impatient(gateway, { ms: 2000, everyMs: 16, patience: 1000, method: 'GET' })
  gateway.behaviours[0] = silent
  await impatient(gateway, { ms: 3000, everyMs: 16, patience: 1000, method: 'GET' })
  const results = await impatient(gateway, { ms: 12_000, everyMs: 16, patience: 1000, method: 'GET' })
  assert.deepEqual(gateway.events, ['ejected 0', 'returned 0', 'ejected 0'])
  assert.ok(open(results).length <= 3, `${open(results).length} of ${results.length} GETs are lost`)
})

test('clients that give up say nothing of a target that answers others meanwhile', async (t) => {
  const gateway = await virtualGateway(t, { upstream: { failover: { hedge: false } } })
  let turn = 0
  // One of ten is a poll that nobody answers.
  for (const i of [0, 1, 2]) gateway.behaviours[i] = (wire) => (turn++ % 10 === 0 ? silent : answers())(wire)
  await impatient(gateway, { ms: 20_000, everyMs: 5, patience: 1000, method: 'GET' })
  assert.deepEqual(gateway.events, [])
})

test('a pause of 150 ms, of one target or of all, ejects nobody', async (t) => {
  for (const paused of [[1], [0, 1, 2]]) {
    await t.test(`${paused.length} of 3`, async (t) => {
      const gateway = await virtualGateway(t)
      await gateway.load({ ms: 3000, everyMs: 5 })
      for (let i = 0; i < 10; i++) {
        const until = gateway.now() + 150
        for (const i of paused)
          gateway.behaviours[i] = (wire) => answers(Math.max(0, until - gateway.now()) + 2)(wire)
        await gateway.load({ ms: 1000, everyMs: 5 })
      }
      assert.deepEqual(gateway.events, [])
    })
  }
})

test('a target that hung for 400 ms is back after five seconds', async (t) => {
  const gateway = await virtualGateway(t)
  await gateway.load({ ms: 3000, everyMs: 5 })
  gateway.behaviours[1] = silent
  await gateway.load({ ms: 400, everyMs: 5 })
  gateway.behaviours[1] = answers()
  assert.deepEqual(gateway.events, ['ejected 1'])
  assert.deepEqual(open(await gateway.load({ ms: 5500, everyMs: 5 })), [])
  assert.deepEqual(gateway.events, ['ejected 1', 'returned 1'])
})

for (const [name, fault] of [
  ['refuses', refuses],
  ['answers 500', answers(1, 500)],
] as const) {
  test(`after a hiccup of one of two targets the other ${name}: the one that is well comes back for it`, async (t) => {
    const gateway = await virtualGateway(t, {
      tiers: [0, 0],
      upstream: { failover: { retryOn: [500, 502, 503, 504] } },
    })
    await gateway.load({ ms: 3000, everyMs: 16 })
    gateway.behaviours[0] = silent
    await gateway.load({ ms: 400, everyMs: 16 })
    gateway.behaviours[0] = answers()
    assert.deepEqual(gateway.events, ['ejected 0'])
    await gateway.load({ ms: 1000, everyMs: 16 })
    gateway.behaviours[1] = fault
    const results = await gateway.load({ ms: 12_000, everyMs: 16 })
    assert.deepEqual(gateway.events.slice(1, 3), ['returned 0', 'ejected 1'])
    assert.ok(open(results).length <= 5, `${open(results).length} of ${results.length} failed`)
  })
}

test('where all targets are down the cap lets each be tried once an interval, and not all the time', async (t) => {
  const gateway = await virtualGateway(t)
  await gateway.load({ ms: 1000, everyMs: 7 })
  for (const i of [0, 1, 2]) {
    gateway.behaviours[i] = refuses
    await gateway.load({ ms: 1000, everyMs: 7 })
  }
  gateway.events.length = 0
  await gateway.load({ ms: 20_000, everyMs: 12 })
  assert.ok(ejected(gateway).length <= 3 * 3, `${gateway.events}`)
  for (const i of [0, 1, 2]) gateway.behaviours[i] = answers()
  await gateway.load({ ms: 1000, everyMs: 7 })
  assert.deepEqual(open(await gateway.load({ ms: 5000, everyMs: 7 })), [])
})

test('a URL that is an error at every target ejects none of them', async (t) => {
  const gateway = await virtualGateway(t)
  await gateway.load({ ms: 500, everyMs: 100, postEvery: 99 })
  for (const i of [0, 1, 2]) gateway.behaviours[i] = answers(2, 500)
  await gateway.load({ ms: 5000, everyMs: 20 })
  assert.deepEqual(gateway.events, [])
})
