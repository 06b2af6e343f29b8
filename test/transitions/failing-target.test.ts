/** One of three targets fails in each way there is; what a client sees of it, in virtual time. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  answers,
  type Behaviour,
  type Result,
  refuses,
  resets,
  silent,
  virtualGateway,
} from '../support/virtual.ts'

const failed = (results: readonly Result[]) =>
  results.filter(({ status }) => status !== 200).map(({ method, status }) => `${method} ${status}`)
const slowest = (results: readonly Result[]) =>
  Math.max(...results.filter(({ method }) => method === 'GET').map(({ took }) => took))

const cut: Behaviour = ({ start, after, head, fail }) => {
  start()
  after(1, () => head(200, { 'content-length': '50' }))
  after(2, () => fail('ECONNRESET'))
}
const stalls: Behaviour = ({ start, after, head }) => {
  start()
  after(1, () => head(200, { 'content-length': '50' }))
}
const cutInChunks: Behaviour = ({ start, after, head, fail }) => {
  start()
  after(1, () => head(200, {}))
  after(2, () => fail('ECONNRESET'))
}

/** How many POSTs may be lost: those that were on their way before anything could be known. */
const FAULTS: readonly [name: string, behaviour: Behaviour, lostPosts: number, slowestGet: number][] = [
  ['refuses connections', refuses, 0, 10],
  ['is silent', silent, 1, 25],
  ['takes a second', answers(1000), 0, 25],
  ['answers 500', answers(1, 500), 1, 10],
  ['answers 503', answers(1, 503), 1, 10],
  ['answers 503 with Retry-After', answers(1, 503, { 'retry-after': '2' }), 1, 10],
  ['resets', resets, 1, 10],
  ['is cut in mid-body', cut, 1, 12],
  ['is cut in the middle of chunks', cutInChunks, 1, 12],
  ['stalls in mid-body', stalls, 1, 25],
]

test('all is well: every request is answered by the one that it was sent to', async (t) => {
  const gateway = await virtualGateway(t)
  const results = await gateway.load({ ms: 1000, everyMs: 5 })
  await gateway.pass(50)
  assert.ok(results.every(({ status, took }) => status === 200 && took <= 3))
  assert.equal(
    gateway.sent.reduce((sum, one) => sum + one),
    results.length,
  )
  assert.deepEqual(gateway.events, [])
  gateway.assertIdle()
})

for (const [name, behaviour, lostPosts, slowestGet] of FAULTS) {
  test(`a target that ${name}: no GET fails, and hardly one waits`, async (t) => {
    const gateway = await virtualGateway(t, {
      upstream: {
        failover: { retryOn: [500, 502, 503, 504] },
        timeouts: { response: '2s', idle: '2s' },
      },
    })
    await gateway.load({ ms: 2000, everyMs: 7 })
    gateway.behaviours[1] = behaviour
    const before = [...gateway.posts]
    const results = await gateway.load({ ms: 4000, everyMs: 7 })
    await gateway.pass(2500)
    const lost = failed(results)
    assert.ok(
      lost.every((one) => one.startsWith('POST')),
      `${lost}`,
    )
    assert.ok(lost.length <= lostPosts, `${lost}`)
    assert.ok(slowest(results) <= slowestGet, `a GET took ${slowest(results)} ms`)
    const posts = results.filter(({ method }) => method === 'POST').length
    const sentPosts = gateway.posts.reduce((sum, one, i) => sum + one - (before[i] as number), 0)
    // A refused connection is not a request that was sent twice.
    if (behaviour !== refuses) assert.equal(sentPosts, posts, 'a POST was sent twice')
    gateway.assertIdle()

    gateway.behaviours[1] = answers()
    await gateway.pass(60_000)
    const sent = gateway.sent[1] as number
    const after = await gateway.load({ ms: 30_000, everyMs: 20 })
    await gateway.pass(50)
    assert.deepEqual(failed(after), [])
    const share = ((gateway.sent[1] as number) - sent) / after.length
    assert.ok(share > 0.2, `it gets ${share} of the traffic again`)
    assert.deepEqual(failed(await gateway.load({ ms: 500, everyMs: 5 })), [])
    await gateway.pass(50)
    gateway.assertIdle()
  })
}

test('a target that fails half of its requests, at once, gets less than its share under every balancer', async (t) => {
  const gateway = await virtualGateway(t, { upstream: { failover: { retryOn: [500] } } })
  let turn = 0
  gateway.behaviours[1] = (wire) => answers(0, turn++ % 2 === 0 ? 500 : 200)(wire)
  const results = await gateway.load({ ms: 10_000, everyMs: 5 })
  await gateway.pass(50)
  assert.ok(failed(results).every((one) => one.startsWith('POST')))
  assert.ok((gateway.sent[1] as number) < results.length / 3)
  gateway.assertIdle()
})

test('a flapping target costs no GET, and a POST only where it was on its way', async (t) => {
  const gateway = await virtualGateway(t, { upstream: { timeouts: { response: '1s' } } })
  await gateway.load({ ms: 1000, everyMs: 7 })
  const all: Result[] = []
  for (let i = 0; i < 10; i++) {
    gateway.behaviours[1] = i % 2 === 0 ? resets : answers()
    all.push(...(await gateway.load({ ms: 500, everyMs: 7 })))
  }
  await gateway.pass(1500)
  const lost = failed(all)
  assert.ok(
    lost.every((one) => one.startsWith('POST')),
    `${lost}`,
  )
  assert.ok(lost.length <= 2, `${lost}`)
  gateway.assertIdle()
})

test('with two of three gone the third serves', async (t) => {
  for (const behaviour of [refuses, silent]) {
    await t.test(behaviour === refuses ? 'refusing' : 'silent', async (t) => {
      const gateway = await virtualGateway(t, { upstream: { timeouts: { response: '1s' } } })
      await gateway.load({ ms: 2000, everyMs: 7 })
      gateway.behaviours[1] = behaviour
      gateway.behaviours[2] = behaviour
      const results = await gateway.load({ ms: 5000, everyMs: 7 })
      await gateway.pass(1500)
      const lost = failed(results)
      assert.ok(
        lost.every((one) => one.startsWith('POST')),
        `${lost}`,
      )
      assert.ok(lost.length <= (behaviour === refuses ? 0 : 2), `${lost}`)
      gateway.assertIdle()
    })
  }
})

test('all targets gone: requests fail at once; back again: all is well within a second', async (t) => {
  const gateway = await virtualGateway(t)
  await gateway.load({ ms: 1000, everyMs: 7 })
  for (const i of [0, 1, 2]) gateway.behaviours[i] = refuses
  const gone = await gateway.load({ ms: 5000, everyMs: 7 })
  await gateway.pass(500)
  assert.ok(gone.every(({ status, took }) => status >= 500 && took < 600))
  for (const i of [0, 1, 2]) gateway.behaviours[i] = answers()
  await gateway.load({ ms: 1000, everyMs: 7 })
  const back = await gateway.load({ ms: 5000, everyMs: 7 })
  await gateway.pass(50)
  assert.deepEqual(failed(back), [])
  gateway.assertIdle()
})

test('an upstream that is all sick is not stormed: retries keep within their budget', async (t) => {
  const gateway = await virtualGateway(t, { upstream: { outlierDetection: false } })
  for (const i of [0, 1, 2]) gateway.behaviours[i] = answers(1, 503)
  const results = await gateway.load({ ms: 20_000, everyMs: 5 })
  await gateway.pass(500)
  const total = gateway.sent.reduce((sum, one) => sum + one)
  const retries = total - results.length
  // A fifth of the requests and ten a second, over windows of ten seconds.
  assert.ok(retries > 0.2 * results.length && retries <= 0.2 * total + 10 * 30, `${retries} retries`)
  gateway.assertIdle()
})
