import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ejectionMs, fewer, mostEjected, oneMore, refusal } from '../../plugins/outlier-detection/ejection.ts'

const OPTIONS = { baseEjection: 30_000, maxEjection: 300_000 }

test('the time grows by 30 s with each ejection, up to 300 s', () => {
  const times = [1, 2, 3, 9, 10, 11, 50].map((times) => ejectionMs(times, OPTIONS, () => 0) / 1000)
  assert.deepEqual(times, [30, 60, 90, 270, 300, 300, 300])
})

test('up to a tenth comes on top at random', () => {
  assert.equal(
    ejectionMs(1, OPTIONS, () => 0.5),
    31_500,
  )
  assert.equal(
    ejectionMs(99, OPTIONS, () => 1),
    330_000,
  )
})

test('the count grows no further than there is a use for it', () => {
  let times = 0
  for (let i = 0; i < 100; i++) times = oneMore(times, OPTIONS)
  assert.equal(times, 10)
  assert.equal(oneMore(0, { baseEjection: 40, maxEjection: 60 }), 1)
  assert.equal(oneMore(1, { baseEjection: 40, maxEjection: 60 }), 2)
  assert.equal(oneMore(2, { baseEjection: 40, maxEjection: 60 }), 2)
})

const CAPS: readonly (readonly [size: number, maxEjected: number, most: number])[] = [
  [1, 0.67, 1],
  [1, 1, 1],
  [2, 0.67, 1],
  [3, 0.67, 2],
  [4, 0.67, 2],
  [10, 0.67, 6],
  [10, 0.1, 1],
  [5, 0.1, 1],
  [100, 0.29, 29],
]
for (const [size, maxEjected, most] of CAPS) {
  test(`${most} of ${size} may be out at ${maxEjected}`, () =>
    assert.equal(mostEjected(size, maxEjected), most))
}

test('the last one of the upstream stays, whatever the cap', () => {
  assert.equal(refusal({ tier: 0, size: 1, ejected: 0 }, 2, 1), undefined)
  assert.match(refusal({ tier: 1, size: 1, ejected: 0 }, 1, 1) ?? '', /the cap of all but one/)
  assert.match(
    refusal({ tier: 1, size: 3, ejected: 2 }, 9, 0.67) ?? '',
    /the cap of 2 of 3 in tier 1 is reached/,
  )
})

test('half of the failures suffice for a target that has yet to prove itself', () => {
  assert.deepEqual(
    [1, 2, 3, 5, 10].map((failures) => fewer(failures, true)),
    [1, 1, 2, 3, 5],
  )
  assert.equal(fewer(5, false), 5)
})
