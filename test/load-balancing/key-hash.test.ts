import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { murmur3 } from '../../plugins/upstreams/murmur3.ts'
import { seededDice } from '../support/dice.ts'
import { assertDistributed } from '../support/statistics.ts'

const FOX = 'The quick brown fox jumps over the lazy dog'

/** As published, byte by byte and with no short cut. */
function reference(bytes: Uint8Array, seed: number): number {
  const rotated = (n: number, by: number): number => (n << by) | (n >>> (32 - by))
  const scrambled = (k: number): number => Math.imul(rotated(Math.imul(k, 0xcc9e2d51), 15), 0x1b873593)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  let h = seed
  let i = 0
  for (; i + 4 <= bytes.length; i += 4) {
    h = Math.imul(rotated(h ^ scrambled(view.getUint32(i, true)), 13), 5) + 0xe6546b64
  }
  let k = 0
  for (let j = bytes.length - 1; j >= i; j--) k = (k << 8) | (bytes[j] as number)
  h ^= scrambled(k) ^ bytes.length
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

describe('the hash of keys: MurmurHash3 x86 32-bit over UTF-8', () => {
  for (const [text, seed, expected] of [
    ['', 0, 0],
    ['', 1, 0x514e28b7],
    ['', 0xffffffff, 0x81f16f39],
    ['a', 0x9747b28c, 0x7fa09ea6],
    ['aa', 0x9747b28c, 0x5d211726],
    ['aaa', 0x9747b28c, 0x283e0130],
    ['aaaa', 0x9747b28c, 0x5a97808a],
    ['abcd', 0x9747b28c, 0xf0478627],
    ['test', 0, 0xba6bd213],
    ['Hello, world!', 0, 0xc0363e43],
    ['Hello, world!', 0x9747b28c, 0x24884cba],
    [FOX, 0, 0x2e4ff723],
    [FOX, 0x9747b28c, 0x2fa826cd],
    ['ππππππππ', 0x9747b28c, 0xd58063c1],
  ] as const) {
    it(`gives what is published for ${JSON.stringify(text)} under ${seed}`, () => {
      assert.equal(murmur3(text, seed), expected)
    })
  }

  it('gives what the published algorithm gives for any text and seed, half a surrogate pair included', () => {
    const texts = fc.array(
      fc.oneof(fc.string({ unit: 'binary' }), fc.string(), fc.constantFrom('\ud800', '\udfff', '\0', 'é€𐍈')),
    )
    fc.assert(
      fc.property(texts, fc.nat(2 ** 32 - 1), (parts, seed) => {
        const text = parts.join('')
        assert.equal(murmur3(text, seed), reference(new TextEncoder().encode(text), seed))
      }),
      { seed: 1, numRuns: 500 },
    )
  })

  it('is uniform over its range for keys that differ in a digit, in its high and low bits', () => {
    const n = 100_000
    for (const shift of [0, 12, 24]) {
      const seen = new Array<number>(256).fill(0)
      for (let i = 0; i < n; i++) seen[(murmur3(`user-${i}`) >>> shift) & 255]!++
      assertDistributed(seen, new Array(256).fill(n / 256))
    }
  })

  it('changes half of its bits when one bit of the text changes', () => {
    const random = seededDice(3)
    const flips = new Array<number>(32).fill(0)
    const n = 4000
    for (let i = 0; i < n; i++) {
      const codes = Array.from(
        { length: 1 + Math.floor(random() * 20) },
        () => 32 + Math.floor(random() * 90),
      )
      const before = murmur3(String.fromCharCode(...codes))
      codes[Math.floor(random() * codes.length)]! ^= 1 << Math.floor(random() * 4)
      const changed = before ^ murmur3(String.fromCharCode(...codes))
      for (let bit = 0; bit < 32; bit++) flips[bit]! += (changed >>> bit) & 1
    }
    // Half a chance each, in n throws: four standard deviations.
    for (const count of flips) assert.ok(Math.abs(count - n / 2) < 4 * Math.sqrt(n / 4), `${count} of ${n}`)
  })
})
