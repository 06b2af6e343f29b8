import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startFaulty } from '../support/faulty.ts'
import { deadOrigin, startTarget } from '../support/target.ts'
import { ask, eventually, gatewayTo, idle } from './support.ts'

function shadowed(origin: string, mirror: unknown = 'shadow', more: object = {}) {
  return { others: { shadow: { targets: [{ origin }], ...more } }, route: { mirror } }
}

test('a copy arrives at the shadow: method, path, headers and body', async (t) => {
  const main = await startTarget(t)
  const shadow = await startTarget(t)
  const gateway = await gatewayTo(t, main.origin, shadowed(shadow.origin))
  const body = Buffer.from([0, 255, 10, 13])
  const answer = await ask(gateway.port, {
    method: 'POST',
    url: '/a?b=1',
    headers: { 'X-Own': '1', 'Content-Length': 4 },
    body,
  })
  assert.equal(answer.status, 200)
  await eventually(() => shadow.seen.length === 1, 'the copy')
  const copy = shadow.seen[0]
  assert.equal(copy?.method, 'POST')
  assert.equal(copy?.url, '/a?b=1')
  assert.equal(copy?.headers['x-own'], '1')
  assert.equal(copy?.headers['x-forwarded-for'], '127.0.0.1')
  assert.equal(copy?.body, body.toString('latin1'))
  await idle(gateway)
})

for (const [name, start] of Object.entries({
  'that is slow': async (t) => (await startFaulty(t, () => {})).origin,
  'that hangs up': async (t) => (await startFaulty(t, ({ socket }) => socket.resetAndDestroy())).origin,
  'that speaks nonsense': async (t) =>
    (await startFaulty(t, ({ socket }) => socket.write('nonsense\r\n\r\n'))).origin,
  'that is not there': async () => deadOrigin(),
} satisfies Record<string, (t: Parameters<typeof startFaulty>[0]) => Promise<string>>)) {
  test(`a shadow ${name} neither delays nor changes the answer`, async (t) => {
    const main = await startTarget(t)
    const gateway = await gatewayTo(t, main.origin, {
      ...shadowed(await start(t)),
      upstream: { timeouts: { response: 200 } },
    })
    for (let i = 0; i < 3; i++) {
      const { status, body } = await ask(gateway.port, { signal: AbortSignal.timeout(150) })
      assert.equal(status, 200)
      assert.equal(body.toString(), 'ok')
    }
    await idle(gateway)
  })
}

test('a balancer that throws for the shadow does not change the answer', async (t) => {
  const main = await startTarget(t)
  const shadow = await startTarget(t)
  const gateway = await gatewayTo(t, main.origin, {
    ...shadowed(shadow.origin),
    use: async (app) => {
      app.upstreams.addHealthSource({
        name: 'broken',
        allows: () => true,
        admit: ({ upstream }) => {
          if (upstream === 'shadow') throw new Error('broken')
          return true
        },
      })
    },
  })
  assert.equal((await ask(gateway.port)).status, 200)
  await idle(gateway)
})

test('a percentage of 0 sends no copy, and part of 100 sends part', async (t) => {
  const main = await startTarget(t)
  const shadow = await startTarget(t)
  const none = await gatewayTo(t, main.origin, shadowed(shadow.origin, { upstream: 'shadow', percent: 0 }))
  for (let i = 0; i < 30; i++) await ask(none.port)
  assert.equal(shadow.seen.length, 0)

  const half = await gatewayTo(t, main.origin, shadowed(shadow.origin, { upstream: 'shadow', percent: 50 }))
  for (let i = 0; i < 200; i++) await ask(half.port)
  await idle(half)
  // Seven standard deviations of a fair coin.
  assert.ok(Math.abs(shadow.seen.length - 100) < 50, `${shadow.seen.length} copies`)
})

test('a body that is streamed is not copied, and the request goes its way', async (t) => {
  const main = await startTarget(t)
  const shadow = await startTarget(t)
  const gateway = await gatewayTo(t, main.origin, { ...shadowed(shadow.origin), server: { replayBody: 10 } })
  const { status } = await ask(gateway.port, { method: 'POST', body: Buffer.alloc(1000) })
  assert.equal(status, 200)
  await idle(gateway)
  assert.equal(shadow.seen.length, 0)
})
