/** Limits that several gateways share: against a real Redis that is killed, frozen and restarted. */
import assert from 'node:assert/strict'
import { hash as digestOf } from 'node:crypto'
import { after, before, describe, it, type TestContext } from 'node:test'
import fc from 'fast-check'
import { Redis } from 'ioredis'
import { Denials } from '../../plugins/rate-limit/denials.ts'
import { KeyedHash } from '../../plugins/rate-limit/keyed-hash.ts'
import type { Limit } from '../../plugins/rate-limit/limit.ts'
import { LocalStore } from '../../plugins/rate-limit/local-store.ts'
import { limitScript } from '../../plugins/rate-limit/script.ts'
import { type RunScript, SharedStore } from '../../plugins/rate-limit/shared-store.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { needs } from '../support/tools.ts'
import { claimsOf, limitsOf, SECOND } from './support.ts'

const LIMIT = { timeout: 60_000 }
const hash = () => new KeyedHash(1, 2)
const realNow = (): number => Math.floor(performance.now() * 1000)

function localOf(limits: readonly Limit[], part: 'algorithm' | 'part' = 'algorithm'): LocalStore {
  return new LocalStore(limits, (limit) => limit[part], hash(), 1024)
}

describe('counting in Redis', { ...LIMIT, ...needs('redis-server') }, () => {
  let server: TestRedis
  let redis: Redis
  const ends: (() => Promise<void>)[] = []

  before(async () => {
    server = await startRedis({ after: (end) => ends.push(end as () => Promise<void>) })
    redis = new Redis(server.url, { lazyConnect: true })
    await redis.connect()
  })
  after(async () => {
    redis.disconnect()
    for (const end of ends) await end()
  })

  /** Runs the script, by its own clock or by that of a test. */
  const runner = (clock?: () => number): RunScript => {
    const script = limitScript(clock === undefined ? undefined : 'local now = tonumber(table.remove(ARGV))')
    return (keys, args) => {
      const all = clock === undefined ? args : [...args, clock()]
      return redis.eval(script, keys.length, ...keys, ...all)
    }
  }
  const sharedOf = (
    limits: readonly Limit[],
    {
      now = realNow,
      timeout = 10 * SECOND,
      ...more
    }: Partial<ConstructorParameters<typeof SharedStore>[1]> = {},
  ): SharedStore =>
    new SharedStore(limits, {
      timeout,
      available: () => true,
      run: runner(),
      digest: (key) => digestOf('sha256', key, 'base64url').slice(0, 22),
      denials: new Denials(hash()),
      fallback: localOf(limits, 'part'),
      now,
      onError: (error) => assert.fail(`${error}`),
      ...more,
    })

  it('counts as this process does, step by step, with several limits at once', LIMIT, async () => {
    const rule = fc.record({
      max: fc.integer({ min: 1, max: 20 }),
      per: fc.integer({ min: 1, max: 5000 }),
      algorithm: fc.constantFrom('gcra' as const, 'sliding-window' as const),
      dryRun: fc.boolean(),
    })
    const steps = fc.array(
      fc.record({
        by: fc.integer({ min: 0, max: 2_000_000 }),
        cost: fc.integer({ min: 0, max: 6 }),
        key: fc.integer({ min: 1, max: 2 }),
      }),
      { maxLength: 30 },
    )
    await fc.assert(
      fc.asyncProperty(fc.array(rule, { minLength: 1, maxLength: 3 }), steps, async (rules, list) => {
        await redis.flushall()
        const limits = limitsOf(rules)
        // The time of day, in microseconds.
        let now = 1_764_000_000 * SECOND
        const local = localOf(limits)
        const shared = sharedOf(limits, { now: () => now, run: runner(() => now), timeout: 1e15 })
        for (const { by, cost, key } of list) {
          now += by
          const claims = () => claimsOf(limits, `192.0.2.${key}`).map((one) => ({ ...one, cost }))
          const [here, there] = [claims(), claims()]
          assert.equal(await shared.decide(there), local.decide(here, now))
          for (const [i, { known, fits, wait, reset, remaining }] of there.entries()) {
            const model = here[i] as (typeof here)[number]
            // What another limit is known to refuse is not asked of this one.
            if (!known) continue
            assert.deepEqual(
              { fits, wait, reset },
              { fits: model.fits, wait: model.wait, reset: model.reset },
            )
            // A refusal that is remembered knows what remained then.
            assert.ok(fits ? remaining === model.remaining : remaining <= model.remaining)
          }
        }
        assert.equal(shared.fallbacks, 0)
      }),
      { numRuns: 100 },
    )
  })

  for (const algorithm of ['gcra', 'sliding-window'] as const) {
    it(
      `${algorithm}: a clock of Redis that is set back locks nobody out, and gives nothing away`,
      LIMIT,
      async () => {
        await redis.flushall()
        const limits = limitsOf([{ max: 10, per: 1000, algorithm }])
        let now = 2_000_000_000 * SECOND
        const shared = sharedOf(limits, { now: () => now, run: runner(() => now), timeout: 1e15 })
        for (let i = 0; i < 10; i++) assert.equal(await shared.decide(claimsOf(limits)), true)
        now -= 1_000_000 * SECOND
        assert.equal(await shared.decide(claimsOf(limits)), false)
        now += 1.07 * SECOND
        assert.equal(await shared.decide(claimsOf(limits)), true)
      },
    )
  }

  it('a clock of Redis that is set forward is believed with the next request', LIMIT, async () => {
    await redis.flushall()
    const limits = limitsOf([{ max: 10, per: 3_600_000 }])
    let ahead = 0
    const now = realNow
    const shared = sharedOf(limits, { now, run: runner(() => now() + ahead), timeout: SECOND })
    assert.equal(await shared.decide(claimsOf(limits)), true)
    ahead = 100 * SECOND
    for (let i = 0; i < 3; i++) assert.equal(await shared.decide(claimsOf(limits)), true)
    assert.equal(shared.fallbacks, 1)
  })

  it(
    'two that share one Redis let through what the limit says and not one more, at whatever rate',
    LIMIT,
    async () => {
      await redis.flushall()
      const rules = [
        { max: 50, per: 250, burst: 20, name: 'gcra' },
        { max: 40, per: 250, algorithm: 'sliding-window', name: 'window' },
      ] as const
      for (const [i, { max, per }] of rules.entries()) {
        const limits = limitsOf([rules[i] as (typeof rules)[number]])
        const stores = [sharedOf(limits), sharedOf(limits)]
        const passed: number[] = []
        const start = performance.now()
        while (performance.now() - start < 400) {
          const round = stores.flatMap((store) =>
            Array.from({ length: 10 }, async () => {
              const [from, allowed] = [performance.now(), await store.decide(claimsOf(limits))]
              if (allowed) passed.push(from)
            }),
          )
          await Promise.all(round)
        }
        const took = performance.now() - start
        const most = i === 0 ? 20 + (max * took) / per : max * Math.ceil(took / per)
        assert.ok(passed.length <= most, `${passed.length} of ${most}`)
        // And it is used up: nobody is refused without need.
        assert.ok(passed.length >= (i === 0 ? 20 : max), `${passed.length}`)
      }
    },
  )

  it(
    'a flood that is refused asks Redis once a second for each key, and is told the same',
    LIMIT,
    async (t: TestContext) => {
      await redis.flushall()
      const limits = limitsOf([
        { max: 3, per: 10_000, name: 'tight' },
        { max: 100, per: 10_000, name: 'wide' },
      ])
      let now = 1_764_000_000 * SECOND
      const run = t.mock.fn<RunScript>(runner(() => now))
      const shared = sharedOf(limits, { now: () => now, run, timeout: 1e15 })
      const wait: number[] = []
      let passed = 0
      for (let i = 0; i < 400; i++) {
        now += 10_000
        const claims = claimsOf(limits)
        if (await shared.decide(claims)) passed++
        else {
          const [tight, wide] = claims
          assert.equal(tight?.fits, false)
          wait.push((tight?.wait as number) + now)
          if (wide?.known === true) assert.equal(wide.remaining > 90, true)
        }
      }
      assert.equal(passed, 4)
      assert.ok(run.mock.callCount() < 15, `${run.mock.callCount()}`)
      assert.equal(new Set(wait).size, 2, 'until the fourth, and until the fifth')
      // Another key is not concerned, nor is what costs less, nor anybody once Redis is another one.
      assert.equal(await shared.decide(claimsOf(limits, '192.0.2.2')), true)
      const asked = run.mock.callCount()
      await shared.decide(claimsOf(limits).map((one) => ({ ...one, cost: 0 })))
      assert.equal(run.mock.callCount(), asked + 1)
      await redis.flushall()
      await shared.calibrate()
      assert.equal(await shared.decide(claimsOf(limits)), true)
    },
  )

  it('keeps keys of any length short, says nothing of them, and lets them expire', LIMIT, async () => {
    await redis.flushall()
    const limits = limitsOf([
      { max: 10, per: 2000 },
      { max: 10, per: 60_000, algorithm: 'sliding-window' },
    ])
    const shared = sharedOf(limits)
    assert.equal(
      await shared.decide(claimsOf(limits).map((one) => ({ ...one, key: 'secret'.repeat(2000) }))),
      true,
    )
    const keys = await redis.keys('*')
    assert.equal(keys.length, 2)
    for (const key of keys) {
      assert.match(key, /^\{limits\}:/)
      assert.ok(key.length < 150 && !key.includes('secret'))
      const ttl = await redis.pttl(key)
      assert.ok(ttl > 0 && ttl < 70_000, `${ttl}`)
    }
  })

  it('what Redis does too late is not charged: it was decided here long ago', LIMIT, async () => {
    await redis.flushall()
    const limits = limitsOf([{ max: 3, per: 3_600_000 }])
    let late = 0
    const run = runner()
    const shared = sharedOf(limits, {
      timeout: 400_000,
      run: async (keys, args) => {
        await new Promise((resolve) => setTimeout(resolve, late))
        return run(keys, args)
      },
    })
    assert.equal(await shared.decide(claimsOf(limits)), true)
    late = 450
    for (let i = 0; i < 3; i++) assert.equal(await shared.decide(claimsOf(limits)), true)
    assert.equal(shared.fallbacks, 3)
    late = 0
    const claims = claimsOf(limits)
    assert.equal(await shared.decide(claims), true)
    assert.equal(claims[0]?.remaining, 1, 'two of three are charged')
  })

  it(
    'without Redis: the fallback lets each key have its part at once, and afterwards nobody is punished',
    LIMIT,
    async () => {
      await redis.flushall()
      for (const instances of [1, 2]) {
        const limits = limitsOf([{ max: 10, per: 3_600_000, name: `of-${instances}` }], instances)
        let available = true
        const shared = sharedOf(limits, { available: () => available })
        for (let i = 0; i < 9; i++) assert.equal(await shared.decide(claimsOf(limits)), true)
        available = false
        for (let i = 0; i < 10 / instances; i++) {
          assert.equal(shared.decide(claimsOf(limits)), true, 'decided without a pause')
        }
        assert.equal(shared.decide(claimsOf(limits)), false)
        available = true
        assert.equal(await shared.decide(claimsOf(limits)), true, 'the tenth of ten')
        assert.equal(await shared.decide(claimsOf(limits)), false)
      }
    },
  )

  it(
    'whatever comes and goes: those who share are counted together, and the fallback counts its own only',
    LIMIT,
    async () => {
      const steps = fc.array(
        fc.record({
          gateway: fc.constantFrom(0, 1),
          available: fc.boolean(),
          by: fc.integer({ min: 0, max: 300_000 }),
          key: fc.integer({ min: 1, max: 2 }),
          cost: fc.integer({ min: 1, max: 3 }),
        }),
        { maxLength: 60 },
      )
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom('gcra' as const, 'sliding-window' as const),
          steps,
          async (algorithm, list) => {
            await redis.flushall()
            const limits = limitsOf([{ max: 8, per: 1000, algorithm }], 2)
            let now = 1_764_000_000 * SECOND
            let up = true
            const gateways = [0, 1].map(() =>
              sharedOf(limits, {
                now: () => now,
                available: () => up,
                run: runner(() => now),
                timeout: 1e15,
              }),
            )
            // What each of them should be: one count for all, and one for each gateway alone.
            const together = localOf(limits)
            const alone = [localOf(limits, 'part'), localOf(limits, 'part')]
            for (const { gateway, available, by, key, cost } of list) {
              now += by
              up = available
              const claims = () => claimsOf(limits, `192.0.2.${key}`).map((one) => ({ ...one, cost }))
              const model = available ? together : (alone[gateway] as LocalStore)
              assert.equal(await gateways[gateway]?.decide(claims()), model.decide(claims(), now))
            }
          },
        ),
        { numRuns: 60 },
      )
    },
  )

  it('an answer that makes no sense, or none, is decided here', LIMIT, async (t: TestContext) => {
    const limits = limitsOf([{ max: 1, per: 3_600_000 }])
    const onError = t.mock.fn()
    const run = t.mock.fn<RunScript>(async () => [1, 5])
    const shared = sharedOf(limits, { run, onError })
    assert.equal(await shared.decide(claimsOf(limits)), true)
    run.mock.mockImplementation(async () => {
      throw new Error('OOM command not allowed')
    })
    assert.equal(await shared.decide(claimsOf(limits)), false)
    assert.equal(onError.mock.callCount(), 2)
    assert.equal(shared.fallbacks, 2)
    // Whatever it is that listens there: nobody is let in by it, and no client is told of NaN.
    for (const garbage of [
      null,
      undefined,
      'OK',
      7,
      {},
      [],
      [1],
      ['1', '5', '1', '1', '0', '0'],
      [1, 5, 1, 'x', 0, 0],
      [1, 5, 1, 1, null, 0],
      [1, 5, 1, 1, Number.NaN, 0],
      [1, Number.NaN, 1, 1, 0, 0],
    ]) {
      run.mock.mockImplementation(async () => garbage)
      const claims = claimsOf(limits)
      assert.equal(await shared.decide(claims), false, JSON.stringify(garbage))
      assert.ok(claims.every(({ remaining, wait, reset }) => [remaining, wait, reset].every(Number.isFinite)))
    }
    const deadline = run.mock.calls.at(-1)?.arguments[1][0]
    assert.ok(Number.isFinite(deadline), `${deadline}`)
  })
})
