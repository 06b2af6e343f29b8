/** Gateways that share their limits through a real Redis, which is killed, frozen and restarted under load. */
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { startGateway } from '../support/gateway.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { needs } from '../support/tools.ts'
import { eventually } from '../transport/support.ts'

const LIMIT = { timeout: 60_000 }
const SOON = 20_000
/** A machine under load may stand still for a while; what hangs, hangs for longer. */
const GENEROUS = 5000

type Gateway = Awaited<ReturnType<typeof startGateway>>

async function startOne(
  t: TestContext,
  redis: TestRedis,
  rateLimit: object,
  rateLimits: object,
  timeout: string,
  options: Parameters<typeof startGateway>[1] = {},
): Promise<Gateway> {
  const config = {
    redis: { url: redis.url, timeout },
    rateLimits,
    upstreams: {},
    routes: [{ path: '/*', respond: { body: 'ok' }, rateLimit }],
  }
  const gateway = await startGateway(config as object, options)
  t.after(() => {
    gateway.app.server.closeAllConnections()
    void gateway.app.close()
  })
  return gateway
}

async function pair(
  t: TestContext,
  rateLimit: object,
  rateLimits: object = {},
  // Longer than a machine under load stands still: where it is short, that is what is looked at.
  timeout = '2s',
): Promise<{ redis: TestRedis; gateways: readonly [Gateway, Gateway] }> {
  const redis = await startRedis(t)
  const start = () => startOne(t, redis, rateLimit, rateLimits, timeout)
  return { redis, gateways: [await start(), await start()] }
}

async function statusesOf({ url }: Gateway, count: number): Promise<number[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const response = await fetch(url)
      await response.arrayBuffer()
      return response.status
    }),
  )
}
const passed = (statuses: readonly number[]): number => statuses.filter((status) => status === 200).length

function fallbacks({ app }: Gateway): number {
  let count = 0
  app.upstreams.collectors
    .find(({ name }) => name === 'rate_limit_fallbacks_total')
    ?.collect((value) => {
      count = value
    })
  return count
}

/** Requests without a pause, until told to stop. */
function loadOn(gateways: readonly Gateway[]) {
  const statuses = new Map<number, number>()
  let longest = 0
  let running = true
  const client = async ({ url }: Gateway): Promise<void> => {
    while (running) {
      const from = performance.now()
      const response = await fetch(url)
      await response.arrayBuffer()
      longest = Math.max(longest, performance.now() - from)
      statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1)
    }
  }
  const clients = gateways.flatMap((gateway) => Array.from({ length: 4 }, () => client(gateway)))
  return {
    count: () => [...statuses.values()].reduce((sum, value) => sum + value, 0),
    async stop() {
      running = false
      await Promise.all(clients)
      return { statuses: Object.fromEntries(statuses), longest }
    },
  }
}

describe('gateways that share a Redis', { ...LIMIT, ...needs('redis-server') }, () => {
  for (const algorithm of ['gcra', 'sliding-window']) {
    it(`${algorithm}: let through together what the limit says, and not one more`, LIMIT, async (t) => {
      const { gateways } = await pair(t, { max: 50, per: '1h', algorithm })
      const all = await Promise.all(gateways.map((gateway) => statusesOf(gateway, 40)))
      assert.equal(passed(all.flat()), 50)
      assert.equal(all.flat().filter((status) => status === 429).length, 30)
      assert.equal(fallbacks(gateways[0]) + fallbacks(gateways[1]), 0)
    })
  }

  for (const [fault, strike, heal] of [
    ['killed', (redis: TestRedis) => redis.kill(), (redis: TestRedis) => redis.start()],
    ['frozen', async (redis: TestRedis) => redis.freeze(), async (redis: TestRedis) => redis.thaw()],
  ] as const) {
    it(`fault: an outage of Redis hangs requests (${fault}, under load)`, LIMIT, async (t) => {
      const { redis, gateways } = await pair(t, { max: 1_000_000, per: '1h' }, {}, '50ms')
      const load = loadOn(gateways)
      await eventually(() => load.count() > 100, 'load', SOON)
      await strike(redis)
      const then = load.count()
      await eventually(() => load.count() > then + 300, 'load goes on', SOON)
      assert.ok(gateways.every((gateway) => fallbacks(gateway) > 0))
      assert.ok(gateways.every(({ app }) => app.redis?.available === false))
      await heal(redis)
      await eventually(() => gateways.every(({ app }) => app.redis?.available === true), 'recovery', SOON)
      const back = fallbacks(gateways[0])
      const since = load.count()
      await eventually(() => load.count() > since + 100, 'load goes on', SOON)
      assert.ok(fallbacks(gateways[0]) - back < 50, 'it is asked again')
      const { statuses, longest } = await load.stop()
      assert.deepEqual(Object.keys(statuses), ['200'])
      assert.ok(longest < GENEROUS, `${longest}`)
      t.diagnostic(`${fault}: ${load.count()} requests, the longest took ${longest.toFixed(0)} ms`)
    })
  }

  it('frozen: each lets its part through, and when it thaws nobody is punished', LIMIT, async (t) => {
    const { redis, gateways } = await pair(t, { max: 40, per: '1h' }, { instances: 2 }, '400ms')
    const [first, second] = gateways
    assert.equal(passed(await statusesOf(first, 10)), 10)
    redis.freeze()
    assert.equal(passed(await statusesOf(first, 30)), 20)
    assert.equal(passed(await statusesOf(second, 10)), 10)
    assert.equal(passed(await statusesOf(second, 20)), 10)
    redis.thaw()
    await eventually(() => gateways.every(({ app }) => app.redis?.available === true), 'recovery', SOON)
    // What Redis found in its sockets when it thawed was decided long ago, and not charged.
    assert.equal(passed(await statusesOf(second, 40)), 30)
    assert.equal(passed(await statusesOf(first, 10)), 0)
  })

  it('killed and empty when it is back: the limit begins anew, for all together', LIMIT, async (t) => {
    const { redis, gateways } = await pair(t, { max: 10, per: '1h' })
    assert.equal(passed(await statusesOf(gateways[0], 20)), 10)
    await redis.kill()
    await redis.start()
    await eventually(() => gateways.every(({ app }) => app.redis?.available === true), 'recovery', SOON)
    const all = await Promise.all(gateways.map((gateway) => statusesOf(gateway, 10)))
    assert.equal(passed(all.flat()), 10)
  })

  it('a Redis that has forgotten the script is told it again', LIMIT, async (t) => {
    const { gateways } = await pair(t, { max: 5, per: '1h' })
    assert.equal(passed(await statusesOf(gateways[0], 2)), 2)
    await gateways[0].app.redis?.ask((client) => client.script('FLUSH'))
    assert.equal(passed(await statusesOf(gateways[0], 10)), 3)
    assert.equal(fallbacks(gateways[0]), 0)
  })

  it('a Redis that refuses to count is told of in the log, and each counts for itself', LIMIT, async (t) => {
    const { gateways } = await pair(t, { max: 5, per: '1h' })
    const [{ app }] = gateways
    const warn = t.mock.method(app.log, 'warn', () => {})
    await app.redis?.ask((client) => client.config('SET', 'maxmemory', '1'))
    assert.equal(passed(await statusesOf(gateways[0], 10)), 5)
    assert.equal(fallbacks(gateways[0]), 10)
    assert.equal(warn.mock.callCount(), 1)
    assert.match(String(warn.mock.calls[0]?.arguments[1]), /cannot be counted in redis/)
  })

  it('a start without Redis limits in the process, until it is there', LIMIT, async (t) => {
    const redis = await startRedis(t)
    await redis.kill()
    const gateway = await startOne(t, redis, { max: 3, per: '1h' }, { store: 'redis' }, '2s')
    assert.equal(passed(await statusesOf(gateway, 10)), 3)
    assert.equal(fallbacks(gateway), 10)
    await redis.start()
    await eventually(() => gateway.app.redis?.available === true, 'redis found', SOON)
    assert.equal(passed(await statusesOf(gateway, 10)), 3)
    assert.equal(fallbacks(gateway), 10)
  })

  it('with `store: local` it is not asked, though it is there', LIMIT, async (t) => {
    const { gateways } = await pair(t, { max: 3, per: '1h' }, { store: 'local' })
    for (const gateway of gateways) assert.equal(passed(await statusesOf(gateway, 5)), 3)
  })

  it('fault: a request that no limit is for asks Redis all the same', LIMIT, async (t) => {
    const redis = await startRedis(t)
    const { app } = await startOne(
      t,
      redis,
      { max: 3, per: '1h' },
      { plans: { gold: { max: 9, per: '1h' } } },
      '2s',
      {
        use: async (fastify) =>
          fastify.addGuard({
            name: 'who',
            stage: 'authenticate',
            forRoute: () => (request) => {
              const plan = request.headers['x-plan']
              request.identity = { id: 'a', plan, consumer: undefined } as never
            },
          }),
      },
    )
    const scripts = async (): Promise<number> => {
      const stats = await app.redis?.ask((client) => client.info('commandstats'))
      return [...(stats ?? '').matchAll(/cmdstat_eval(?:sha)?:calls=(\d+)/g)].reduce(
        (sum, [, n]) => sum + Number(n),
        0,
      )
    }
    const asked = async (plan: Record<string, string>): Promise<number> => {
      const before = await scripts()
      assert.equal((await app.inject({ url: '/', headers: plan })).statusCode, 200)
      return (await scripts()) - before
    }
    // The first time the script itself has to be sent.
    await asked({})
    assert.equal(await asked({}), 1, 'by the limit of the route')
    assert.equal(await asked({ 'x-plan': 'gold' }), 2, 'and by that of the plan')
  })
})
