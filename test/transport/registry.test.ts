import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startFaulty, wire } from '../support/faulty.ts'
import { startTarget } from '../support/target.ts'
import { ask, eventually, type Gateway, gatewayTo, idle } from './support.ts'

const OK = wire('HTTP/1.1 200 OK\nContent-Length: 2', 'ok')
const main = ({ app }: Gateway) => app.upstreams.upstream('main')

test('a target that is removed finishes what it has, gets no more, and loses its connections', async (t) => {
  const leaving = await startFaulty(t, ({ socket, head }) => {
    if (head.startsWith('GET /quick ')) socket.write(OK)
  })
  const staying = await startTarget(t)
  const gateway = await gatewayTo(t, leaving.origin)
  await ask(gateway.port, { url: '/quick' })
  const held = [ask(gateway.port), ask(gateway.port), ask(gateway.port)]
  await leaving.arrived(4)
  const upstream = main(gateway)
  upstream.add({ origin: staying.origin })
  const [target] = upstream.targets
  assert.ok(target)
  const removed = upstream.remove(target)
  for (let i = 0; i < 10; i++) assert.equal((await ask(gateway.port)).status, 200)
  assert.equal(leaving.requests.length, 4)
  assert.equal(upstream.targets.length, 2)
  for (const { socket } of leaving.requests.slice(1)) socket.write(OK)
  for (const { status } of await Promise.all(held)) assert.equal(status, 200)
  await removed
  assert.deepEqual(
    upstream.targets.map(({ origin }) => origin),
    [staying.origin],
  )
  await eventually(() => leaving.open.size === 0, 'the connections to it are closed')
  await idle(gateway)
})

test('an upstream whose only target drains is a 503, and serves again once it is back', async (t) => {
  const target = await startTarget(t)
  const gateway = await gatewayTo(t, target.origin)
  const [only] = main(gateway).targets
  assert.ok(only)
  await main(gateway).drain(only)
  const { status, headers, body } = await ask(gateway.port)
  assert.equal(status, 503)
  assert.equal(headers['retry-after'], '1')
  assert.equal(JSON.parse(body.toString()).code, 'GTW_NO_TARGET')
  main(gateway).undrain(only)
  assert.equal((await ask(gateway.port)).status, 200)
})

test('a target that is added gets traffic', async (t) => {
  const [first, second] = await Promise.all([startTarget(t), startTarget(t)])
  const gateway = await gatewayTo(t, first.origin)
  await ask(gateway.port)
  main(gateway).add({ origin: second.origin })
  const asked: Promise<unknown>[] = []
  await eventually(() => {
    asked.push(ask(gateway.port))
    return second.seen.length > 0
  }, 'traffic')
  await Promise.all(asked)
  await idle(gateway)
})

test('weights that change while running are kept to', async (t) => {
  const [first, second] = await Promise.all([startTarget(t), startTarget(t)])
  const gateway = await gatewayTo(t, [first.origin, second.origin], {
    upstream: { loadBalancing: { policy: 'weighted' } },
  })
  // By chance, so what is certain is only that a weight of 0 gets nothing, and that 24 requests of two
  // equal targets miss one of them once in eight million runs.
  const share = async (): Promise<number> => {
    const before = first.seen.length
    for (let i = 0; i < 24; i++) await ask(gateway.port)
    return first.seen.length - before
  }
  const both = await share()
  assert.ok(both > 0 && both < 24, `${both} of 24`)
  const [one, other] = main(gateway).targets
  assert.ok(one && other)
  main(gateway).setWeight(one, 0)
  assert.equal(await share(), 0)
  main(gateway).setWeight(one, 3)
  main(gateway).setWeight(other, 0)
  assert.equal(await share(), 24)
})

test('nothing is lost while targets come and go under traffic', async (t) => {
  const targets = await Promise.all(Array.from({ length: 4 }, () => startTarget(t)))
  const gateway = await gatewayTo(t, targets[0]?.origin ?? '', { upstream: { failover: { retries: 0 } } })
  const upstream = main(gateway)
  let running = true
  let answered = 0
  const clients = Array.from({ length: 8 }, async () => {
    while (running) {
      const { status } = await ask(gateway.port)
      assert.equal(status, 200)
      answered++
    }
  })
  for (let i = 1; i < 12; i++) {
    upstream.add({ origin: targets[i % 4]?.origin ?? '' })
    const before = answered
    await eventually(() => answered > before + 10, 'traffic')
    await upstream.remove(upstream.targets[0] as (typeof upstream.targets)[0])
  }
  running = false
  await Promise.all(clients)
  await idle(gateway)
})
