import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { nearest, suggestion } from '../../plugins/config/suggest.ts'
import { parseDuration, parseSize } from '../../plugins/config/units.ts'

describe('a duration', () => {
  const GOOD: [unknown, number][] = [
    ['250ms', 250],
    ['2s', 2000],
    ['1.5s', 1500],
    ['1m', 60_000],
    ['1h', 3_600_000],
    ['1d', 86_400_000],
    ['0s', 0],
    [0, 0],
    [12.5, 12.5],
  ]
  for (const [text, ms] of GOOD) it(`${text} is ${ms} ms`, () => assert.equal(parseDuration(text), ms))

  const BAD = [
    '5 sec',
    '5',
    's',
    '',
    '-1s',
    '1S',
    ' 1s',
    '1s ',
    '1e3s',
    '.5s',
    '1.s',
    '1m30s',
    '1min',
    `${'9'.repeat(400)}s`,
    -1,
    Number.NaN,
  ]
  for (const text of [...BAD, Number.POSITIVE_INFINITY, null, undefined, {}, [], true, 5n]) {
    it(`${typeof text} ${String(text)} is none`, () => assert.equal(parseDuration(text), undefined))
  }
})

describe('a size', () => {
  it('is in bytes, and whole', () => {
    assert.equal(parseSize('64KiB'), 65_536)
    assert.equal(parseSize('10MiB'), 10_485_760)
    assert.equal(parseSize('1GiB'), 2 ** 30)
    assert.equal(parseSize('12B'), 12)
    assert.equal(parseSize('1.5KiB'), 1536)
    assert.equal(parseSize('0.3B'), 0)
    assert.equal(parseSize(77), 77)
  })

  it('knows powers of two only, so that nobody is 2.4 % off', () => {
    for (const text of ['1KB', '1kb', '1k', '1 KiB', '1MB', '1Mib', '-1B'])
      assert.equal(parseSize(text), undefined)
  })

  it('is a number that is counted with exactly', () => {
    assert.equal(parseSize(Number.MAX_SAFE_INTEGER), Number.MAX_SAFE_INTEGER)
    for (const size of [2 ** 53, `${'9'.repeat(400)}B`, '99999999GiB', 1e300])
      assert.equal(parseSize(size), undefined)
  })
})

it('never reads a text as a negative or a missing number', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[-0-9.]{1,5}(ms|s|m|KiB|B)$/)), (text) => {
      for (const value of [parseDuration(text), parseSize(text)]) {
        assert.ok(value === undefined || (value >= 0 && Number.isFinite(value)))
      }
    }),
    { seed: 1 },
  )
})

describe('did you mean', () => {
  const NAMES = ['users', 'orders', 'round-robin', 'targets', 'loadBalancing']
  const FOUND: [wrong: string, meant: string | undefined][] = [
    ['user', 'users'],
    ['Users', 'users'],
    ['usres', 'users'],
    ['round-robbin', 'round-robin'],
    ['roundrobin', 'round-robin'],
    ['lodBalancing', 'loadBalancing'],
    ['targtes', 'targets'],
    ['payments', undefined],
    ['x', undefined],
    ['', undefined],
  ]
  for (const [wrong, meant] of FOUND) {
    it(`"${wrong}" means ${meant ?? 'nothing near'}`, () => assert.equal(nearest(wrong, NAMES), meant))
  }

  it('names all there are where none is near, and counts the rest of very many', () => {
    assert.equal(suggestion('zebra', ['a', 'b']), 'there is "a", "b"')
    assert.equal(suggestion('zebra', []), 'there are none')
    const many = Array.from({ length: 200 }, (_, i) => `upstream-${i}`)
    assert.match(suggestion('zebra', many), /"upstream-11" and 188 more$/)
  })

  it('a name of one letter is not every other one', () => assert.equal(nearest('b', ['a']), undefined))
})
