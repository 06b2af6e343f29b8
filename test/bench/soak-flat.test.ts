import assert from 'node:assert/strict'
import { test } from 'node:test'
import { dice } from '../../bench/availability/schedule.ts'
import { growth, type Point, student95, trend } from '../../bench/soak/flat.ts'

/** Normal noise (Box-Muller) of deviation 1. */
function noise(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}

/** A line with noise, each value of which keeps `memory` of the one before. */
function line(seed: number, count: number, slope: number, memory = 0): Point[] {
  const random = dice(seed)
  let last = noise(random)
  return Array.from({ length: count }, (_, x) => {
    last = memory * last + Math.sqrt(1 - memory ** 2) * noise(random)
    return { x, y: 30 + slope * x + last }
  })
}

function shareThatHolds(slope: number, memory: number): number {
  let held = 0
  const runs = 400
  for (let seed = 1; seed <= runs; seed++) {
    const found = trend(line(seed, 100, slope, memory))!
    if (found.low <= slope && slope <= found.high) held++
  }
  return held / runs
}

test('a line without noise is found exactly', () => {
  const found = trend([0, 1, 2, 3, 4].map((x) => ({ x, y: 7 + 2.5 * x })))!
  for (const value of [found.slope, found.low, found.high]) assert.ok(Math.abs(value - 2.5) < 1e-9)
})

test('the interval is the textbook one where values are independent', () => {
  // Residuals 1 -1 -1 1 1 -1 -1 1 alternate: their neighbours' correlation is -1/8, which counts as none.
  const ys = [1, -1, -1, 1, 1, -1, -1, 1]
  const found = trend(ys.map((y, x) => ({ x, y })))!
  assert.ok(Math.abs(found.slope) < 1e-12)
  // sqrt(8 / 6 / 42) standard error, 2.4469 for 6 degrees of freedom
  assert.ok(Math.abs(found.high - 2.4469 * Math.sqrt(8 / 6 / 42)) < 0.002, `${found.high}`)
})

test('95 % intervals hold the slope about that often, independent or not', () => {
  for (const memory of [0, 0.5]) {
    for (const slope of [0, 0.05]) {
      const share = shareThatHolds(slope, memory)
      assert.ok(share > 0.9 && share < 0.99, `${share} with memory ${memory} and slope ${slope}`)
    }
  }
})

test('a leak far below the noise of one value is told from none', () => {
  const span = 99
  const leaking = growth(trend(line(5, 100, 0.05))!, span)
  assert.ok(leaking.low > 3, `${leaking.low}`)
  const flat = growth(trend(line(5, 100, 0))!, span)
  assert.ok(flat.low < 0 && flat.high > 0)
})

test('too few points, or all at one place, tell nothing', () => {
  assert.equal(trend([1, 2, 3].map((x) => ({ x, y: x }))), undefined)
  assert.equal(trend([1, 2, 3, 4].map((y) => ({ x: 1, y }))), undefined)
})

test('quantiles of t are those of the tables', () => {
  for (const [freedom, value] of [
    [1, 12.706],
    [2, 4.303],
    [3, 3.182],
    [5, 2.571],
    [10, 2.228],
    [30, 2.042],
    [100, 1.984],
  ] as const) {
    assert.ok(Math.abs(student95(freedom) / value - 1) < 0.011, `${freedom}: ${student95(freedom)}`)
  }
})
