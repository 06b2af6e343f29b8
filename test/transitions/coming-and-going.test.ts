/** Start, drain, removal, panic and fail-back under load, in virtual time. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Target } from '../../plugins/upstreams/contract.ts'
import { answers, type Result, refuses, silent, virtualGateway } from '../support/virtual.ts'

const allWell = (results: readonly Result[]) =>
  assert.deepEqual(
    results.filter(({ status }) => status !== 200).map(({ method, status }) => `${method} ${status}`),
    [],
  )

test('before the first check of a target nothing is sent to it, not even when no other is left', async (t) => {
  const gateway = await virtualGateway(t)
  const unchecked = new Set<Target>(gateway.targets)
  gateway.app.upstreams.addHealthSource({
    name: 'checks',
    allows: (target) => !unchecked.has(target),
    veto: () => 'unchecked',
  })
  const early = await gateway.load({ ms: 200, everyMs: 5 })
  assert.ok(early.every(({ status }) => status === 503))
  assert.deepEqual(gateway.sent, [0, 0, 0])
  unchecked.delete(gateway.targets[2] as Target)
  gateway.app.upstreams.changed(gateway.targets[2] as Target)
  allWell(await gateway.load({ ms: 200, everyMs: 5 }))
  assert.deepEqual(gateway.sent.slice(0, 2), [0, 0])
  unchecked.clear()
  gateway.app.upstreams.changed(gateway.targets[0] as Target)
  allWell(await gateway.load({ ms: 200, everyMs: 5 }))
  assert.ok(gateway.sent.every((one) => one > 0))
  await gateway.pass(20)
  assert.deepEqual(gateway.events, [])
  gateway.assertIdle()
})

test('a target that is drained gets nothing new and finishes what it has', async (t) => {
  const gateway = await virtualGateway(t, { upstream: { failover: { hedge: false } } })
  const [, leaving] = gateway.targets as [Target, Target]
  gateway.behaviours[1] = answers(300)
  const results = await gateway.load({ ms: 500, everyMs: 5 })
  let drained = false
  void gateway.app.upstreams
    .upstream('main')
    .drain(leaving)
    .then(() => {
      drained = true
    })
  const sent = gateway.sent[1]
  results.push(...(await gateway.load({ ms: 200, everyMs: 5 })))
  assert.equal(gateway.sent[1], sent, 'something new was sent')
  assert.equal(drained, false)
  await gateway.pass(200)
  assert.equal(drained, true)
  gateway.app.upstreams.upstream('main').undrain(leaving)
  results.push(...(await gateway.load({ ms: 500, everyMs: 5 })))
  await gateway.pass(400)
  allWell(results)
  assert.ok((gateway.sent[1] as number) > (sent as number))
  gateway.assertIdle()
})

test('a target that is removed while it is silent is forgotten once its requests have ended', async (t) => {
  const gateway = await virtualGateway(t, { upstream: { timeouts: { response: '1s' } } })
  await gateway.load({ ms: 1000, everyMs: 5 })
  gateway.behaviours[1] = silent
  await gateway.load({ ms: 100, everyMs: 5 })
  let removed = false
  void gateway.app.upstreams
    .upstream('main')
    .remove(gateway.targets[1] as Target)
    .then(() => {
      removed = true
    })
  allWell((await gateway.load({ ms: 100, everyMs: 5 })).filter(({ status }) => status !== 0))
  await gateway.pass(1500)
  assert.equal(removed, true)
  assert.equal(gateway.app.upstreams.upstream('main').targets.length, 2)
  gateway.assertIdle()
})

test('panic begins with too few left and ends with enough, once each, and no GET notices', async (t) => {
  const gateway = await virtualGateway(t, {
    tiers: [0, 0, 0, 0],
    upstream: { outlierDetection: { maxEjected: 1 } },
  })
  await gateway.load({ ms: 1000, everyMs: 5 })
  for (const i of [0, 1, 2]) gateway.behaviours[i] = refuses
  allWell(await gateway.load({ ms: 3000, everyMs: 5 }))
  assert.equal(gateway.events.filter((event) => event === 'panic').length, 1, `${gateway.events}`)
  for (const i of [0, 1, 2]) gateway.behaviours[i] = answers()
  allWell(await gateway.load({ ms: 60_000, everyMs: 10 }))
  assert.equal(gateway.events.filter((event) => event === 'calm').length, 1, `${gateway.events}`)
  await gateway.pass(50)
  gateway.assertIdle()
})

test('a standby tier takes over in the same request, and gives back only when the first has held', async (t) => {
  const gateway = await virtualGateway(t, { tiers: [0, 1] })
  allWell(await gateway.load({ ms: 1000, everyMs: 5 }))
  assert.equal(gateway.sent[1], 0)
  gateway.behaviours[0] = refuses
  allWell(await gateway.load({ ms: 2000, everyMs: 5 }))
  assert.ok(gateway.events.includes('spilled'), `${gateway.events}`)
  gateway.behaviours[0] = answers()
  allWell(await gateway.load({ ms: 60_000, everyMs: 10 }))
  assert.ok(gateway.events.includes('restored'), `${gateway.events}`)
  const standby = gateway.sent[1]
  allWell(await gateway.load({ ms: 2000, everyMs: 5 }))
  assert.equal(gateway.sent[1], standby, 'the standby rests again')
  await gateway.pass(50)
  gateway.assertIdle()
})
