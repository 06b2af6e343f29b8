import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { limitOf } from './support.ts'

describe('the limit', () => {
  it('is the initial one while minRTT is measured in a quiet time', () => {
    const { limit, record } = limitOf()
    record(49, 10)
    assert.equal(limit.limit, 20)
    assert.equal(limit.minRtt, 0)
    record(1, 10)
    assert.equal(limit.limit, 20)
    assert.ok(Math.abs(limit.minRtt / 10 - 1) < 0.011)
  })

  it('is the lowest for the measurement where there was no quiet for a second', () => {
    const { limit, record, crowd } = limitOf()
    crowd(80)
    assert.equal(limit.limit, 3)
    record(49, 10)
    assert.equal(limit.limit, 3)
    record(1, 10)
    assert.equal(limit.limit, 20)
    assert.ok(Math.abs(limit.minRtt / 10 - 1) < 0.011, 'what came in the crowd does not count')
  })

  it('is not lowered for a measurement that only lasts because there is little to measure', () => {
    const { limit, record } = limitOf()
    limit.admits(3)
    for (let i = 0; i < 20; i++) record(1, 500)
    assert.equal(limit.limit, 20)
  })

  it('admits as many as it says, the one that asks not counted', () => {
    const { limit } = limitOf({ initial: 3 })
    assert.deepEqual(
      [0, 2, 3, 4].map((inflight) => limit.admits(inflight)),
      [true, true, false, false],
    )
  })

  it('follows the formula: gradient x limit + sqrt(gradient x limit), the gradient from 0.5 to 2', () => {
    for (const [latency, gradient] of [
      [10, 1.25],
      [12.5, 1],
      [20, 0.625],
      [1000, 0.5],
      [1, 2],
    ] as const) {
      const { record, window } = limitOf({ initial: 100 })
      record(50, 10)
      const exact = gradient * 100 + Math.sqrt(gradient * 100)
      const got = window(latency)
      // Latencies are known to within 1 % each.
      assert.ok(Math.abs(got - exact) <= 0.022 * exact + 1, `${latency} ms: ${got}, not ${exact}`)
    }
  })

  it('never leaves its bounds', () => {
    const { limit, record, window } = limitOf({ max: 50, minRttInterval: 1e9 })
    record(50, 10)
    for (let i = 0; i < 20; i++) assert.ok(window(10) <= 50)
    assert.equal(limit.limit, 50)
    for (let i = 0; i < 8; i++) assert.ok(window(10_000) >= 3)
    assert.equal(window(10_000), 3)
  })

  it('is left alone until a window is over and has enough samples', () => {
    const { limit, sample, clock, record } = limitOf()
    record(50, 10)
    clock.advance(1000)
    for (let i = 0; i < 24; i++) sample(100)
    assert.equal(limit.limit, 20, '24 are too few')
    sample(100)
    assert.equal(limit.limit, 13)
    clock.advance(99)
    for (let i = 0; i < 100; i++) sample(100)
    assert.equal(limit.limit, 13, 'the window lasts for 100 ms')
    clock.advance(1)
    sample(100)
    assert.equal(limit.limit, 9)
  })

  it('does not grow while less than half of it is used: a quiet night is no proof', () => {
    const { limit, sample, clock, record } = limitOf({ minRttInterval: 1e9 })
    record(50, 10)
    for (let i = 0; i < 100; i++) {
      limit.admits(5)
      clock.advance(100)
      for (let k = 0; k < 25; k++) sample(10)
    }
    assert.equal(limit.limit, 20)
    limit.admits(10)
    clock.advance(100)
    for (let k = 0; k < 25; k++) sample(10)
    assert.ok(limit.limit > 20)
  })
})

describe('minRTT', () => {
  it('is measured again when it is time, at the lowest limit; then the limit is what it was', () => {
    const { limit, sample, record, window, clock, crowd } = limitOf({ minRttInterval: 1000 })
    record(50, 10)
    const before = window(10)
    clock.advance(900)
    sample(10)
    assert.equal(limit.limit, before)
    crowd(10)
    assert.equal(limit.limit, 3)
    record(49, 40)
    assert.equal(limit.limit, 3)
    record(1, 40)
    assert.ok(
      Math.abs(limit.minRtt / 40 - 1) < 0.011,
      'the service has become slower, and that is no overload',
    )
    assert.equal(limit.limit, before)
  })

  it('takes no sample that began before: those were under the higher limit', () => {
    const { limit, sample, record, clock, crowd } = limitOf({ minRttInterval: 1000 })
    record(50, 10)
    clock.advance(1000)
    sample(10)
    crowd(10)
    clock.advance(100)
    for (let i = 0; i < 200; i++) sample(101)
    // A download's latency is that of its head, long before it ends.
    for (let i = 0; i < 200; i++) sample(1, clock.now() - 101)
    assert.equal(limit.limit, 3, 'still measuring')
    for (let i = 0; i < 50; i++) sample(100)
    assert.ok(Math.abs(limit.minRtt / 100 - 1) < 0.011)
  })

  it('is doubted when the limit has been the lowest for five windows', () => {
    const { limit, record, window } = limitOf({ minRttInterval: 1e9 })
    record(50, 10)
    while (window(100) > 3) {}
    const known = limit.minRtt
    for (let i = 0; i < 5; i++) window(100)
    record(50, 100)
    assert.ok(limit.minRtt > known * 9)
    assert.ok(window(100) > 3, 'a service that is ten times slower for good is not choked')
  })

  it('of many targets is not measured at the same time', () => {
    const times = [0, 0.5, 0.999].map((dice) => {
      const { limit, sample, clock, record } = limitOf({ minRttInterval: 1000 }, () => dice)
      record(50, 10)
      const from = clock.now()
      while (limit.limit > 3) {
        limit.admits(limit.limit - 1)
        clock.advance(1)
        sample(1)
        if (clock.now() - from > 3000) break
      }
      return clock.now() - from
    })
    assert.deepEqual(times, [2000, 2075, 2150])
  })
})
