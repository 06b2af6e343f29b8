import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Lease } from '../../plugins/upstreams/contract.ts'
import type { UpstreamEvent } from '../../plugins/upstreams/events.ts'
import { readGateway } from '../support/config.ts'
import { startFaulty, wire } from '../support/faulty.ts'
import { buildGateway } from '../support/gateway.ts'
import { ask, eventually, gatewayTo, idle, rawClient } from '../transport/support.ts'
import { request } from '../upstreams/support.ts'

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'

/** A gateway with a target that answers 500, stays silent or answers 200, as it is told. */
async function sick(t: Parameters<typeof startFaulty>[0], breaker: object = {}) {
  const mood = { now: 'failing' as 'failing' | 'silent' | 'well' }
  const target = await startFaulty(t, ({ socket }) => {
    if (mood.now === 'silent') return
    socket.write(wire(`HTTP/1.1 ${mood.now === 'well' ? '200 OK' : '500 No'}\nContent-Length: 2`, 'ok'))
  })
  const events: UpstreamEvent[] = []
  const gateway = await gatewayTo(t, target.origin, {
    upstream: { circuitBreaker: { consecutive: 3, openFor: '2s', successes: 1, ...breaker } },
    use: async (app) =>
      app.upstreams.onEvent((event) => {
        if (event.by === 'circuit-breaker') events.push(event)
      }),
  })
  const heard = (name: string) => eventually(() => events.at(-1)?.name === name, name)
  // A target that is silent would keep a test waiting that is about to fail.
  const status = async (): Promise<number> =>
    (await ask(gateway.port, { signal: AbortSignal.timeout(2000) })).status
  return { mood, target, gateway, heard, status, events }
}

test('a target that fails is left alone for a while, tried again, and used when it is well', async (t) => {
  const { mood, target, gateway, heard, status, events } = await sick(t)
  assert.deepEqual([await status(), await status(), await status()], [500, 500, 500])
  await heard('breaker-opened')
  const refused = await ask(gateway.port)
  assert.equal(refused.status, 503)
  assert.ok(refused.headers['retry-after'])
  assert.equal(target.requests.length, 3, 'it was not asked')
  // Nobody asks meanwhile: the timer does it.
  await heard('breaker-half-open')
  mood.now = 'well'
  assert.equal(await status(), 200)
  await heard('breaker-closed')
  assert.equal(await status(), 200)
  assert.equal(events.length, 3)
})

test('a client that leaves in the middle of a probe leaves its permit', async (t) => {
  const { mood, target, gateway, heard, status } = await sick(t)
  for (let i = 0; i < 3; i++) await status()
  await heard('breaker-half-open')
  mood.now = 'silent'
  for (let i = 0; i < 3; i++) {
    const client = rawClient(t, gateway.port)
    client.socket.write(GET)
    await eventually(() => target.requests.length === 4 + i, 'the probe')
    assert.equal(await status(), 503, 'the one permit is taken')
    client.socket.destroy()
    await idle(gateway)
  }
  mood.now = 'well'
  assert.equal(await status(), 200)
  await heard('breaker-closed')
})

test('no timer outlives the gateway, not even for what is settled after its end', async (t) => {
  const target = await startFaulty(t, () => {})
  const upstream = (origin: string) => ({
    targets: [{ origin }],
    circuitBreaker: { consecutive: 1, openFor: '20ms' },
  })
  const app = await buildGateway({
    upstreams: { a: upstream(target.origin), b: upstream('http://b') },
    routes: [],
  })
  await app.ready()
  const events: UpstreamEvent[] = []
  app.upstreams.onEvent((event) => {
    if (event.by === 'circuit-breaker') events.push(event)
  })
  const attempts = ['a', 'b'].map((name) => app.upstreams.upstream(name).lease(request()) as Lease)
  const failure = { kind: 'failed', reason: 'reset', requestSent: true, latencyMs: 1 } as const
  attempts[0]?.settle(failure)
  await app.close()
  attempts[1]?.settle(failure)
  await new Promise((resolve) => setTimeout(resolve, 60))
  assert.deepEqual(
    events.map(({ name, upstream }) => [name, upstream]),
    [
      ['breaker-opened', 'a'],
      ['breaker-opened', 'b'],
    ],
  )
})

test('true is a breaker with all defaults, false is none', async () => {
  for (const circuitBreaker of [true, false]) {
    const { config, problems } = await readGateway(
      { upstreams: { u: { targets: [{ origin: 'http://a' }], circuitBreaker } }, routes: [] },
      'test.config.ts',
    )
    assert.deepEqual(problems, [])
    assert.equal(config.upstreams['u']?.circuitBreaker.enabled, circuitBreaker)
    assert.equal(config.upstreams['u']?.circuitBreaker.minimum, 20)
  }
})

test('what does not go together is refused with its remedy', async () => {
  const circuitBreaker = { openFor: '2m', minimum: 0, scope: 'route' }
  const { problems } = await readGateway(
    { upstreams: { u: { targets: [{ origin: 'http://a' }], circuitBreaker } }, routes: [] },
    'test.config.ts',
  )
  assert.deepEqual(problems.map(({ path, message }) => `${path}: ${message}`).toSorted(), [
    'upstreams.u.circuitBreaker.maxOpenFor: must not be below openFor (120000 ms), is 60000 ms; raise it or lower openFor',
    'upstreams.u.circuitBreaker.minimum: must be at least 1, is 0',
    'upstreams.u.circuitBreaker.scope: "route" is not one of the choices; there is "target", "upstream"',
  ])
})
