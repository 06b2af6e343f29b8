import assert from 'node:assert/strict'
import { describe, it, test } from 'node:test'
import fc from 'fast-check'
import { filled, fingerprint, isTemplate } from '../../plugins/alerts/engine/alert.ts'
import { factsOf, gaugesOf, Heard } from '../../plugins/alerts/engine/states.ts'
import { Window } from '../../plugins/alerts/engine/window.ts'
import type { Rule } from '../../plugins/alerts/rules/rule.ts'
import type { Target } from '../../plugins/upstreams/contract.ts'
import { rulesOf, World } from './support.ts'

describe('a window', () => {
  it('knows what a counter grew by, whatever the times of the samples', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ gap: fc.integer({ min: 900, max: 1400 }), grown: fc.nat(1000) }), {
          minLength: 2,
          maxLength: 400,
        }),
        fc.constantFrom(10_000, 60_000, 300_000),
        (samples, over) => {
          const window = new Window(over, 1000)
          const seen: [number, number][] = []
          let now = 0
          let total = 0
          for (const { gap, grown } of samples) {
            now += gap
            total += grown
            const increase = window.increase(now, total)
            window.add(now, total)
            if (increase !== undefined) {
              // Between what came surely inside the window and what may have: a step at its start is not known.
              const step = Math.max(1400, (over / 120) * 2 + 1400)
              const first = seen[0] as [number, number]
              const at = (time: number) => seen.findLast(([t]) => t <= time)?.[1] ?? first[1]
              assert.ok(increase <= total - at(now - over - step) + 1e-6, `${increase} is too much`)
              assert.ok(increase >= total - at(now - over + step) - 1e-6, `${increase} is too little`)
            }
            seen.push([now, total])
          }
        },
      ),
      { numRuns: 200 },
    )
  })

  it('takes the same room for three days as for ten minutes, and is right to a 120th', () => {
    const window = new Window(3 * 86_400_000, 5000)
    let total = 0
    for (let now = 0; now <= 6 * 86_400_000; now += 60_000) {
      total += 60
      window.add(now, total)
    }
    const increase = window.increase(6 * 86_400_000 + 5000, total) as number
    assert.ok(Math.abs(increase - 3 * 86_400) / (3 * 86_400) < 1 / 120, String(increase))
  })

  it('has nothing to say before there are two samples', () => {
    const window = new Window(10_000, 1000)
    assert.equal(window.increase(0, 5), undefined)
    window.add(0, 5)
    assert.equal(window.increase(1000, 7), 2)
  })
})

describe('the states of an alert', () => {
  it('inactive, pending, firing, resolved: `for` and keepFiring as Prometheus has them', async () => {
    const world = new World(
      rulesOf({
        name: 'errors',
        errorRate: { above: 0.1 },
        over: '10s',
        for: '15s',
        keepFiring: '20s',
      }),
    )
    world.pass(60, { requests: 10 })
    assert.equal(world.state(), 'inactive')
    world.pass(5, { requests: 10, errors: 5 })
    assert.equal(world.state(), 'pending')
    world.pass(10, { requests: 10, errors: 5 })
    assert.deepEqual(world.log, [])
    world.pass(5, { requests: 10, errors: 5 })
    assert.deepEqual(world.log, ['80 errors fired'])
    assert.equal(world.engine.alerts[0]?.value, 0.5)
    // The window is clean 10 s after the last error, and the alert ends 20 s after that.
    world.pass(25, { requests: 10 })
    assert.equal(world.state(), 'firing')
    world.pass(60, { requests: 10 })
    assert.deepEqual(world.log, ['80 errors fired', '110 errors resolved'])
  })

  it('a condition that fails to hold once begins its `for` anew', async () => {
    const world = new World(rulesOf({ name: 'panic', panic: true, for: '20s' }))
    world.gauges.panic = 1
    world.pass(15)
    world.gauges.panic = 0
    world.pass(5)
    world.gauges.panic = 1
    world.pass(20)
    assert.deepEqual(world.log, [])
    world.pass(5)
    assert.deepEqual(world.log, ['45 panic fired'])
  })

  it('an alert that fires goes by the lower bar', async () => {
    const world = new World(
      rulesOf({ name: 'errors', errorRate: { above: 0.1, resolveBelow: 0.05 }, over: '10s' }),
    )
    world.pass(30, { requests: 100, errors: 7 })
    assert.equal(world.state(), 'inactive')
    world.pass(20, { requests: 100, errors: 20 })
    assert.equal(world.state(), 'firing')
    world.pass(60, { requests: 100, errors: 7 })
    assert.equal(world.state(), 'firing')
    world.pass(60, { requests: 100, errors: 4 })
    assert.equal(world.state(), 'inactive')
  })
})

describe('conditions', () => {
  it('latency: the share of what took longer, so that the quantile is exact', async () => {
    const world = new World(rulesOf({ name: 'slow', latency: { quantile: 0.99, above: '500ms' } }))
    world.pass(120, { requests: 1000, 'slower than 500': 10 })
    assert.equal(world.state(), 'inactive', 'a share of just 1 - quantile is not above it')
    world.pass(60, { requests: 1000, 'slower than 500': 11 })
    assert.equal(world.state(), 'firing')
  })

  it('one failed request at night is no alert', async () => {
    const world = new World(rulesOf({ name: 'errors', errorRate: { above: 0.05 }, over: '1m', atLeast: 20 }))
    world.pass(3600, { requests: 0.01, errors: 0.01 })
    assert.deepEqual(world.log, [])
    world.pass(60, { requests: 1, errors: 1 })
    assert.equal(world.state(), 'firing')
  })

  it('no traffic at all: no share, no division by zero', async () => {
    const world = new World(
      rulesOf(
        { name: 'slow', latency: { above: 100 }, atLeast: 1 },
        { name: 'errors', errorRate: { above: 0 }, atLeast: 1 },
        { name: 'full', saturation: { inflightAbove: 0 } },
        { name: 'few', targets: { eligibleBelow: '50%' } },
      ),
    )
    Object.assign(world.gauges, { inflight: 0, capacity: 0, usable: 0, expected: 0 })
    world.pass(600)
    assert.deepEqual(world.log, [])
  })

  it('throughput below does fire on no traffic, but not before the window was watched whole', async () => {
    const world = new World(rulesOf({ name: 'idle', throughput: { below: 1 }, over: '1m' }))
    world.pass(55)
    assert.deepEqual(world.log, [])
    world.pass(5)
    assert.deepEqual(world.log, ['60 idle fired'])
    world.pass(60, { requests: 2 })
    assert.equal(world.state(), 'inactive')
  })

  it('throughput above and below, each with its own way back', async () => {
    const both = { above: 100, below: 10, resolveBelow: 80, resolveAbove: 20 }
    const world = new World(rulesOf({ name: 'rate', throughput: both, over: '10s' }))
    const state = (rate: number): string => {
      world.pass(20, { requests: rate })
      return world.state()
    }
    assert.deepEqual([50, 120, 90, 70, 5, 15, 25].map(state), [
      'inactive',
      'firing',
      'firing',
      'inactive',
      'firing',
      'firing',
      'inactive',
    ])
  })

  it('burn rate: both windows, each severity an alert of its own (SRE workbook, chapter 5)', async () => {
    const rules = rulesOf({ name: 'burn', burnRate: { objective: 0.999 } })
    assert.deepEqual(
      rules.map(({ severity, condition }) => [severity, condition.length]),
      [
        ['critical', 2],
        ['warning', 1],
      ],
    )
    const world = new World(rules, 30_000)
    world.pass(3 * 86_400, { requests: 10 })
    assert.deepEqual(world.log, [])
    // All failing: the workbook says detection of 14.4 x 0.001 over 1 h takes 14.4 x 0.001 x 1 h = 52 s.
    const start = world.now
    world.pass(120, { requests: 10, errors: 10 })
    const fired = world.when('fired') - start / 1000
    assert.ok(fired >= 52 && fired <= 90, world.log.join())
    // It ends with the short window, and not an hour later.
    const end = world.now
    world.pass(30 * 60, { requests: 10 })
    const resolved = world.when('resolved') - end / 1000
    assert.ok(resolved > 0 && resolved <= 30 * 60, world.log.join())
  })

  it('targets, breakers, panic, saturation, certificates', async () => {
    const world = new World(
      rulesOf(
        { name: 'few', upstream: 'users', targets: { eligibleBelow: 2 } },
        { name: 'half', targets: { eligibleBelow: '50%' } },
        { name: 'breaker', breakerOpen: true },
        { name: 'panic', panic: true },
        { name: 'full', saturation: { inflightAbove: 0.8, resolveBelow: 0.5 } },
        { name: 'expiry', certificateExpiry: { within: '14d' } },
      ),
    )
    const well = { usable: 3, expected: 3, 'open-breakers': 0, panic: 0, inflight: 10, capacity: 100 }
    Object.assign(world.gauges, well, { certificate: 15 * 86_400 })
    world.pass(10)
    assert.deepEqual(world.log, [])
    const bad = { usable: 1, 'open-breakers': 2, panic: 1, inflight: 81, certificate: 13 * 86_400 }
    Object.assign(world.gauges, bad)
    world.pass(5)
    assert.equal(world.log.length, 6)
    Object.assign(world.gauges, well, { inflight: 60, certificate: 365 * 86_400 })
    world.pass(5)
    assert.deepEqual(
      world.engine.alerts.filter(({ state }) => state === 'firing').map(({ rule }) => rule.name),
      ['full'],
    )
  })
})

describe('what must not raise an alert', () => {
  const STRICT = [
    { name: 'errors', errorRate: { above: 0.01 }, atLeast: 1 },
    { name: 'slow', latency: { quantile: 0.9, above: 100 }, atLeast: 1 },
    { name: 'idle', throughput: { below: 5 } },
    { name: 'busy', throughput: { above: 20 } },
    { name: 'burn', burnRate: { objective: 0.99 } },
  ]

  it('a counter that starts anew', async () => {
    const world = new World(rulesOf(...STRICT))
    world.pass(300, { requests: 10 })
    Object.assign(world.counts, { requests: 0, errors: 0 })
    world.pass(300, { requests: 10 })
    assert.deepEqual(world.log, [])
  })

  it('numbers that cannot be read for a while', async () => {
    const world = new World(rulesOf(...STRICT))
    world.pass(300, { requests: 10 })
    world.broken = true
    world.pass(30, { requests: 10 })
    world.broken = false
    world.pass(300, { requests: 10 })
    assert.deepEqual(world.log, [])
  })

  it('a process that was stopped, whether or not its clock went on', async () => {
    for (const gap of [60_000, 3_600_000, 86_400_000]) {
      const world = new World(rulesOf(...STRICT))
      world.pass(300, { requests: 10 })
      world.now += gap
      world.pass(300, { requests: 10 })
      assert.deepEqual(world.log, [], String(gap))
    }
  })

  it('a time in which nothing was evaluated does not count towards `for`', async () => {
    const world = new World(rulesOf({ name: 'panic', panic: true, for: '5m' }))
    world.gauges.panic = 1
    world.pass(10)
    world.now += 600_000
    world.pass(10)
    assert.equal(world.state(), 'pending')
  })

  it('a clock that stands still or goes back', async () => {
    const world = new World(rulesOf(...STRICT))
    world.pass(300, { requests: 10 })
    world.now -= 60_000
    world.round()
    world.round()
    world.now += 60_000
    world.pass(300, { requests: 10 })
    assert.deepEqual(world.log, [])
  })

  it('targets that wait for their first check', async () => {
    const world = new World(
      rulesOf(
        { name: 'few', upstream: 'users', targets: { eligibleBelow: 2 } },
        { name: 'half', targets: { eligibleBelow: '50%' } },
        { name: 'full', saturation: { inflightAbove: 0.1 } },
      ),
    )
    world.gauges.inflight = 1
    world.pass(30)
    assert.deepEqual(world.log, [])
    Object.assign(world.gauges, { usable: 1, expected: 3, capacity: 9 })
    world.pass(5)
    assert.equal(world.log.length, 3)
  })

  it('traffic that has no errors, however it comes (property)', async () => {
    const rules = rulesOf(...STRICT.filter(({ name }) => !['idle', 'busy'].includes(name)))
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 50_000 }), fc.nat(10_000)), { maxLength: 100 }),
        (steps) => {
          const world = new World(rules)
          for (const [gap, requests] of steps) {
            world.now += gap
            world.add({ requests })
            world.round()
            for (const { value } of world.engine.alerts) assert.ok(Number.isFinite(value))
          }
          assert.deepEqual(world.log, [])
        },
      ),
      { numRuns: 100 },
    )
  })
})

const checked = () => false

describe('what must not end an alert', () => {
  it('a stall of the process: a rate is not known, and was taken for one that is well again', async () => {
    const world = new World(rulesOf({ name: 'idle', throughput: { below: 1 }, over: '10m' }))
    world.pass(900)
    world.now += 21_000
    world.round()
    world.pass(590)
    assert.deepEqual(world.log, ['600 idle fired'])
    // It is known again ten minutes after the stall.
    world.pass(60, { requests: 600 })
    assert.equal(world.state(), 'inactive')
  })

  it('a stall after which there are too few requests in the window: they were not seen', async () => {
    const world = new World(rulesOf({ name: 'errors', errorRate: { above: 0.5 }, over: '1m' }))
    world.pass(120, { requests: 10, errors: 10 })
    world.now += 300_000
    world.pass(30, { requests: 0.1, errors: 0.1 })
    assert.equal(world.state(), 'firing')
    world.pass(60, { requests: 0.1, errors: 0.1 })
    assert.equal(world.state(), 'inactive', 'watched whole, and too few')
  })

  it('numbers that cannot be read, of which one must not take the others along', async () => {
    const world = new World(
      rulesOf(
        { name: 'errors', errorRate: { above: 0.5 }, over: '1m' },
        { name: 'few', targets: { eligibleBelow: 2 } },
        { name: 'panic', panic: true },
      ),
    )
    Object.assign(world.gauges, { usable: 1, panic: 0 })
    world.pass(60, { requests: 10, errors: 10 })
    world.broken = true
    Object.defineProperty(world.gauges, 'usable', {
      get: () => {
        throw new Error('no numbers')
      },
    })
    world.gauges.panic = 1
    world.pass(300)
    assert.deepEqual(
      world.engine.alerts.map(({ state }) => state),
      ['firing', 'firing', 'firing'],
    )
  })

  it('a time in which nothing was evaluated: it does not count towards keepFiring', async () => {
    const world = new World(rulesOf({ name: 'panic', panic: true, keepFiring: '5m' }))
    world.gauges.panic = 1
    world.pass(10)
    world.gauges.panic = 0
    world.pass(10)
    world.now += 600_000
    world.pass(290)
    assert.equal(world.state(), 'firing')
    world.pass(20)
    assert.equal(world.state(), 'inactive')
  })

  it('one of two tests of a row that is not known; one that is known to fail does', async () => {
    const windows = [{ long: '10m', short: '1m', factor: 5 }]
    const world = new World(rulesOf({ name: 'burn', burnRate: { objective: 0.9, windows } }))
    world.pass(600, { requests: 10, errors: 10 })
    world.now += 120_000
    world.pass(30)
    assert.equal(world.state(), 'firing', 'too little of the short window was watched')
    world.pass(60)
    assert.equal(world.state(), 'inactive')
  })
})

test('three hundred rules and ten thousand targets: a round is a matter of milliseconds', async () => {
  const rules = rulesOf(
    ...Array.from({ length: 100 }, (_, i) => ({ name: `slow ${i}`, latency: { above: 100 + i } })),
    ...Array.from({ length: 100 }, (_, i) => ({
      name: `burn ${i}`,
      route: 'a',
      burnRate: { objective: 0.95 + i / 2500 },
    })),
    ...Array.from({ length: 100 }, (_, i) => ({
      name: `few ${i}`,
      upstream: 'users',
      targets: { eligibleBelow: i + 1 },
    })),
  )
  const world = new World(rules)
  const target = { draining: false, tier: 0, inflight: 1, tunnels: 0 } as Target
  const targets = new Array<Target>(10_000).fill(target)
  world.pass(600, { requests: 100 })
  const began = performance.now()
  for (let i = 0; i < 50; i++) {
    world.gauges.usable = factsOf({ targets, eligible: () => targets }, 384, checked).usable
    world.pass(5, { requests: 100 })
  }
  // Some 2 ms each; the bound leaves room for a machine that is busy.
  assert.ok(performance.now() - began < 5000)
})

test('the facts of an upstream: a tier in reserve is no target that is missing', () => {
  const target = (tier: number, draining = false) => ({ tier, draining, inflight: 2, tunnels: 0 }) as Target
  const [a, b, c, d] = [target(0), target(0), target(1), target(0, true)] as const
  const targets = [a, b, c, d]
  assert.deepEqual(factsOf({ targets, eligible: () => [a, b] }, 10, checked), {
    usable: 2,
    expected: 2,
    inflight: 8,
    capacity: 20,
  })
  assert.equal(factsOf({ targets, eligible: () => [b, c] }, 10, checked).expected, 3)
  assert.equal(factsOf({ targets, eligible: () => [] }, 10, checked).expected, 2)
})

test('a target that waits for its first check was taken for one that cannot be used', () => {
  const target = (tier: number, draining = false) => ({ tier, draining, inflight: 1, tunnels: 0 }) as Target
  const [a, b, reserve, leaving] = [target(0), target(0), target(1), target(0, true)] as const
  const unknown = { usable: undefined, expected: undefined, inflight: 4, capacity: undefined }
  const targets = [a, b, reserve, leaving]
  for (const waits of [a, reserve])
    assert.deepEqual(
      factsOf({ targets, eligible: () => [b] }, 10, (one) => one === waits),
      unknown,
    )
  assert.equal(factsOf({ targets, eligible: () => [b] }, 10, (one) => one === leaving).usable, 1)
  const upstreams = new Map([
    ['users', { name: 'users', targets: [a], eligible: () => [] }],
    ['next', { name: 'next', targets: [b], eligible: () => [b] }],
  ])
  const opinionsOn = (one: Target) => (one === a ? [{ by: 'test', veto: 'unchecked', share: 1 }] : [])
  const gauge = gaugesOf(
    { upstreams, opinionsOn } as unknown as Parameters<typeof gaugesOf>[0],
    new Heard(),
    () => 10,
    () => undefined,
  )
  assert.equal(gauge({ kind: 'upstream', name: 'next' }, 'usable'), 1)
  // A part of the sum would be too little.
  assert.equal(gauge({ kind: 'gateway' }, 'usable'), undefined)
  assert.equal(gauge({ kind: 'gateway' }, 'inflight'), 2)
})

test('breakers are counted by what is announced, and go with their targets', () => {
  const heard = new Heard()
  const [a, b] = [{ upstream: 'users' } as Target, { upstream: 'users' } as Target]
  const say = (name: string, target?: Target) =>
    heard.hear({ name, upstream: 'users', ...(target === undefined ? {} : { target }) })
  say('breaker-opened', a)
  say('breaker-opened', b)
  say('breaker-half-open', a)
  assert.equal(heard.openBreakers('users'), 2)
  say('breaker-closed', a)
  heard.forget(b)
  assert.equal(heard.openBreakers('users'), 0)
  say('breaker-opened')
  assert.equal(heard.openBreakers('users'), 1)
})

test('texts are filled in as Prometheus fills them in', () => {
  const labels = { route: 'a' }
  assert.equal(filled('{{ $labels.route }}: {{$value}}', 0.05, labels), 'a: 0.05')
  assert.equal(filled('{{ $value | humanizePercentage }}{{ $labels.none }}', 0.012345, labels), '1.234%')
  assert.equal(isTemplate('{{ $value }} is {{ $labels.a }}'), true)
  assert.equal(isTemplate('{{ printf "%f" $value }}'), false)
  // Prometheus takes the first two of three, and refuses the rest; and it makes no number of a label.
  assert.equal(isTemplate('{{{ $value }}'), false)
  assert.equal(isTemplate('{{ $labels.a | humanizePercentage }}'), false)
})

test('the name of a route was read as a part of the text', () => {
  const [rule] = rulesOf({ name: 'errors', route: 'b', errorRate: { above: 0.5 } }) as [Rule]
  const labels = { route: 'x {{ $value }} {{y}}' }
  assert.equal(
    filled(rule.annotations['summary'] as string, 0.5, labels),
    'route x {{ $value }} {{y}}: more than 50 % of the requests failed',
  )
})

test('fingerprints are those of Prometheus', () => {
  // The offset of FNV-1a 64, and `LabelSet{}.Fingerprint()`.
  assert.equal(fingerprint({}), 'cbf29ce484222325')
  assert.notEqual(fingerprint({ a: 'bc' }), fingerprint({ ab: 'c' }))
  assert.equal(fingerprint({ a: '1', b: '2' }), fingerprint({ b: '2', a: '1' }))
})
