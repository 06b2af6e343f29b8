/** The ways of counting, against plain models of what they promise. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Algorithm, Reading } from '../../plugins/rate-limit/algorithm.ts'
import { Gcra } from '../../plugins/rate-limit/gcra.ts'
import { algorithmOf, needsIdentity, ruleProblem } from '../../plugins/rate-limit/rule.ts'
import { SlidingWindow } from '../../plugins/rate-limit/sliding-window.ts'
import { DAY, ruleOf, SECOND } from './support.ts'

/** One key of an algorithm. */
function counter(algorithm: Algorithm) {
  const states = new Float64Array(algorithm.width)
  const reading: Reading = { fits: false, remaining: 0, wait: 0, reset: 0 }
  const look = (now: number, cost = 1): Reading => {
    algorithm.look(states, 0, cost, now, reading)
    return reading
  }
  const take = (now: number, cost = 1): boolean => {
    if (!look(now, cost).fits) return false
    algorithm.charge(states, 0, cost, now)
    return true
  }
  return { states, look, take, idle: (now: number) => algorithm.idle(states, 0, now) }
}

function gcra(max: number, per: number, burst = max): Gcra {
  const algorithm = Gcra.of(max, per, burst)
  assert.ok(algorithm !== undefined, `${max} per ${per} ms, burst ${burst}`)
  return algorithm
}

const limit = fc.record({
  max: fc.integer({ min: 1, max: 50 }),
  per: fc.integer({ min: 1, max: 3000 }),
  burst: fc.integer({ min: 1, max: 60 }),
})
const steps = fc.array(
  fc.record({ after: fc.integer({ min: 0, max: 400_000 }), cost: fc.integer({ min: 1, max: 7 }) }),
  { minLength: 1, maxLength: 150 },
)

describe('GCRA', () => {
  it('decides as virtual scheduling does, in whole numbers of any size', () => {
    fc.assert(
      fc.property(
        limit,
        steps,
        fc.integer({ min: 0, max: 365 * DAY }),
        ({ max, per, burst }, list, start) => {
          const { take, look } = counter(gcra(max, per, burst))
          const interval = BigInt(per * 1000)
          let now = start
          let theoretical = 0n
          for (const { after, cost } of list) {
            now += after
            // In units of a microsecond by `max`.
            const time = BigInt(now) * BigInt(max)
            const from = theoretical > time ? theoretical : time
            const next = from + BigInt(cost) * interval
            const fits = next - time <= BigInt(burst) * interval
            assert.equal(look(now, cost).fits, fits)
            assert.equal(take(now, cost), fits)
            if (fits) theoretical = next
          }
        },
      ),
    )
  })

  it('lets through exactly burst + max per per over thirty days without a pause, whatever the numbers', () => {
    for (const [max, per, burst] of [
      [7, 60_000, 7],
      [999_983, 30 * 86_400_000, 5],
      [3, 1000, 1],
    ] as const) {
      const { take, look } = counter(gcra(max, per, burst))
      let now = 12_345
      let passed = 0
      const end = now + Math.min(30 * DAY, 200_000 * Math.ceil((per * 1000) / max))
      while (now <= end) {
        if (take(now)) passed++
        else now += look(now).wait
      }
      const due = burst + Math.floor(((end - 12_345) * max) / (per * 1000))
      assert.ok(Math.abs(passed - due) <= 1, `${passed} and not ${due}`)
    }
  })

  it('says how long to wait: then it fits, and a microsecond before it does not', () => {
    fc.assert(
      fc.property(limit, steps, ({ max, per, burst }, list) => {
        const { take, look } = counter(gcra(max, per, burst))
        let now = 1
        for (const { after, cost } of list) {
          now += after
          if (take(now, cost)) continue
          const { wait } = look(now, cost)
          if (cost > burst) {
            assert.equal(wait, Number.POSITIVE_INFINITY)
            continue
          }
          assert.equal(look(now + wait - 1, cost).fits, false)
          assert.equal(look(now + wait, cost).fits, true)
        }
      }),
    )
  })

  it('says what remains and when all is back', () => {
    const { take, look, idle } = counter(gcra(10, 1000, 5))
    assert.deepEqual({ ...look(SECOND) }, { fits: true, remaining: 5, wait: 0, reset: 0 })
    assert.equal(take(SECOND, 3), true)
    assert.deepEqual({ ...look(SECOND, 1) }, { fits: true, remaining: 2, wait: 0, reset: 300_000 })
    assert.deepEqual({ ...look(SECOND, 4) }, { fits: false, remaining: 2, wait: 200_000, reset: 300_000 })
    assert.equal(idle(SECOND + 299_999), false)
    assert.equal(idle(SECOND + 300_000), true)
  })

  it('takes a coarser tick where a microsecond would be too fine to be exact, and nothing where none is', () => {
    assert.deepEqual(gcra(1_000_000, 30 * 86_400_000).parameters, [1, 2_592_000, 1, 2_592_000_000_000])
    const [tick, cell, drain] = gcra(999_983, 30 * 86_400_000).parameters
    assert.equal(tick, 1000)
    assert.equal((cell * tick) / drain, (30 * DAY) / 999_983)
    assert.equal(Gcra.of(999_999_937, 366 * 86_400_000, 999_999_937), undefined)
  })
})

describe('sliding window', () => {
  it('never lets more than max through in any per, and forgets within 17/16 of it', () => {
    fc.assert(
      fc.property(limit, steps, fc.integer({ min: 0, max: 30 * DAY }), ({ max, per }, list, start) => {
        const { take, look } = counter(new SlidingWindow(max, per))
        const window = per * 1000
        const taken: { at: number; cost: number }[] = []
        const within = (from: number, to: number): number =>
          taken.reduce((sum, { at, cost }) => sum + (at > from && at <= to ? cost : 0), 0)
        let now = start
        for (const { after, cost } of list) {
          now += after
          const { remaining } = { ...look(now) }
          if (take(now, cost)) taken.push({ at: now, cost })
          else {
            // A part is a whole number of microseconds, rounded up.
            assert.ok(within(now - (window * 17) / 16 - 17, now) + cost > max)
            assert.ok(remaining < cost)
          }
          assert.ok(within(now - window, now) <= max)
        }
      }),
    )
  })

  it('says how long to wait', () => {
    fc.assert(
      fc.property(limit, steps, ({ max, per }, list) => {
        const algorithm = new SlidingWindow(max, per)
        const { take, look, states } = counter(algorithm)
        let now = SECOND
        for (const { after, cost } of list) {
          now += after
          if (take(now, cost)) continue
          const { wait } = look(now, cost)
          if (cost > max) {
            assert.equal(wait, Number.POSITIVE_INFINITY)
            continue
          }
          const later = counter(algorithm)
          later.states.set(states)
          assert.equal(later.look(now + wait - 1, cost).fits, false)
          assert.equal(later.look(now + wait, cost).fits, true)
        }
      }),
    )
  })
})

describe('a clock that goes back', () => {
  for (const [name, algorithm] of [
    ['GCRA', gcra(10, 1000)],
    ['sliding window', new SlidingWindow(10, 1000)],
  ] as const) {
    it(`${name}: locks nobody out, and gives nothing away`, () => {
      const { take, look } = counter(algorithm)
      for (let i = 0; i < 10; i++) assert.equal(take(1000 * DAY), true)
      assert.equal(take(10 * DAY), false, 'what was taken is not forgotten')
      assert.ok(look(10 * DAY).wait <= 1.07 * SECOND)
      assert.equal(take(10 * DAY + 1.07 * SECOND), true, 'it goes on from there')
    })
  }
})

describe('a rule', () => {
  for (const [rule, problem] of [
    [{}, undefined],
    [{ max: 1_000_000, per: 30 * 86_400_000 }, undefined],
    [{ max: 1_000_000_000, per: 1 }, undefined],
    [{ cost: 11 }, /no request would ever fit: each costs 11, and at most 10 fit at once; raise/],
    [{ cost: 11, burst: 11 }, undefined],
    [{ algorithm: 'sliding-window', burst: 3 }, /has no `burst`/],
    [{ algorithm: 'sliding-window', cost: 11 }, /no request would ever fit/],
    [{ per: 0.0005 }, /microseconds/],
    [{ max: 999_999_937, per: 366 * 86_400_000 }, /without rounding; take a rounder/],
  ] as const) {
    it(`${JSON.stringify(rule)} ${problem === undefined ? 'can be kept to' : 'is refused'}`, () => {
      const message = ruleProblem(ruleOf(rule), 1)
      if (problem === undefined) assert.equal(message, undefined)
      else assert.match(message ?? '', problem)
    })
  }

  it('is divided among instances, and each can take what a request costs', () => {
    const whole = counter(algorithmOf(ruleOf({ max: 10, per: 1000 })) as Algorithm)
    const part = counter(algorithmOf(ruleOf({ max: 10, per: 1000 }), 4) as Algorithm)
    const count = (one: typeof whole): number => {
      let passed = 0
      for (let now = 0; now < 100 * SECOND; now += 50_000) if (one.take(now)) passed++
      return passed
    }
    assert.ok(Math.abs(count(whole) / 4 - count(part)) <= 3)
    for (const algorithm of ['gcra', 'sliding-window'] as const) {
      const tight = algorithmOf(ruleOf({ max: 10, cost: 7, algorithm }), 100) as Algorithm
      assert.equal(counter(tight).take(0, 7), true)
    }
  })

  it('needs to know who it is if it says so', () => {
    assert.equal(needsIdentity(ruleOf({ by: 'header:x-identity' })), false)
    assert.equal(needsIdentity(ruleOf({ by: 'consumer' })), true)
    assert.equal(needsIdentity(ruleOf({ by: { expression: 'request.host' } })), false)
    for (const [expression, needs] of [
      ['identity.claims.org', true],
      ['has(identity.id)', true],
      ["request.headers['identity']", false],
      ['request.headers.identity', false],
      ["request.path == 'it\\'s' ? identity.id : ''", true],
    ] as const) {
      assert.equal(needsIdentity(ruleOf({ by: { expression } })), needs, expression)
    }
    assert.equal(needsIdentity(ruleOf({ cost: { expression: 'identity == null ? 2 : 1' } })), true)
  })
})
