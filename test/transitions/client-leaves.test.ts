/** The client leaves, at every point of an exchange: nothing is left under way, and no target is blamed. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answers, type Behaviour, refuses, silent, virtualGateway } from '../support/virtual.ts'

const HEDGE = { failover: { hedge: { after: '10ms' } } }

const waiting: Behaviour = () => {}
const inMidBody: Behaviour = ({ start, after, head }) => {
  start()
  after(1, () => head(200, { 'content-length': '50' }))
}
const inAStream: Behaviour = ({ start, after, head }) => {
  start()
  after(1, () => head(200, { 'content-type': 'text/event-stream' }))
}

const POINTS: readonly [name: string, behaviour: Behaviour, afterMs: number][] = [
  ['while the attempt waits for a connection', waiting, 1],
  ['at once', silent, 0],
  ['while the target is silent', silent, 5],
  ['with a hedge under way', silent, 15],
  ['with two hedges under way', silent, 30],
  ['while the answer is gathered', inMidBody, 5],
  ['while the answer streams', inAStream, 5],
  ['when all is over', answers(1), 5],
]

for (const [name, behaviour, afterMs] of POINTS) {
  for (const method of ['GET', 'POST']) {
    test(`${method}: a client that leaves ${name}`, async (t) => {
      const gateway = await virtualGateway(t, { upstream: HEDGE })
      const blamed: unknown[] = []
      gateway.app.upstreams.subscribe((_target, outcome) => {
        if (outcome.kind === 'failed') blamed.push(outcome)
      })
      for (const i of [0, 1, 2]) gateway.behaviours[i] = behaviour
      const result = gateway.send(method)
      await gateway.pass(afterMs)
      result.leave()
      await gateway.pass(5)
      gateway.assertIdle()
      const sent = [...gateway.sent]
      await gateway.pass(60_000)
      assert.deepEqual(gateway.sent, sent, 'something was sent for a client that had gone')
      assert.deepEqual(blamed, [])
      gateway.assertIdle()
    })
  }
}

test('a client that leaves during the pause before a retry', async (t) => {
  const gateway = await virtualGateway(t, { tiers: [0], upstream: HEDGE })
  gateway.behaviours[0] = answers(1, 503, { 'retry-after': '1' })
  const result = gateway.send()
  await gateway.pass(500)
  gateway.assertIdle()
  result.leave()
  await gateway.pass(5000)
  assert.deepEqual(gateway.sent, [1])
  gateway.assertIdle()
})

test('a client that leaves between two attempts', async (t) => {
  const gateway = await virtualGateway(t, { upstream: HEDGE })
  for (const i of [0, 1, 2]) gateway.behaviours[i] = refuses
  for (let afterMs = 0; afterMs < 8; afterMs++) {
    const result = gateway.send()
    await gateway.pass(afterMs)
    result.leave()
    await gateway.pass(2)
    gateway.assertIdle()
  }
})
