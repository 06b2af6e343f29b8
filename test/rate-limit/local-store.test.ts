/** What one process remembers, and what an attacker with many keys can do about it. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Algorithm, Reading } from '../../plugins/rate-limit/algorithm.ts'
import { Gcra } from '../../plugins/rate-limit/gcra.ts'
import { KeyTable } from '../../plugins/rate-limit/key-table.ts'
import { KeyedHash } from '../../plugins/rate-limit/keyed-hash.ts'
import { LocalStore } from '../../plugins/rate-limit/local-store.ts'
import { SlidingWindow } from '../../plugins/rate-limit/sliding-window.ts'
import { clientNetwork } from '../../plugins/upstreams/client-network.ts'
import { claimsOf, limitsOf, SECOND } from './support.ts'

const hash = () => new KeyedHash(0x1234567, 0x7654321)

function tableOf(algorithm: Algorithm, maxKeys: number) {
  const table = new KeyTable(algorithm, hash(), maxKeys)
  const reading: Reading = { fits: false, remaining: 0, wait: 0, reset: 0 }
  const take = (key: string, now: number, cost = 1): boolean => {
    const place = table.look(key, cost, now, reading)
    if (!reading.fits) return false
    table.charge(place, cost, now, reading)
    return true
  }
  return { table, take, reading }
}

const ALGORITHMS: readonly (readonly [string, () => Algorithm])[] = [
  ['GCRA', () => Gcra.of(5, 60_000, 5) as Algorithm],
  ['sliding window', () => new SlidingWindow(5, 60_000)],
]

describe('the hash', () => {
  it('is HalfSipHash-2-4, by the vectors of its authors', () => {
    const keyed = new KeyedHash(0x03020100, 0x07060504, 2, 4)
    const expected = [
      '218d1f59b9b83cc8',
      '064f39ef7c50eb57',
      'd5e78a175be52ea1',
      'ce3e91358aa2bc25',
      'edfee820bce4858c',
      '95b0469f06a6f2ee',
    ]
    for (let units = 0; units < 6; units++) {
      let text = ''
      for (let i = 0; i < units; i++) text += String.fromCharCode(2 * i + 256 * (2 * i + 1))
      keyed.of(text)
      const bytes = Buffer.alloc(8)
      bytes.writeUInt32LE(keyed.low, 0)
      bytes.writeUInt32LE(keyed.high, 4)
      assert.equal(bytes.toString('hex'), expected[units], `${2 * units} bytes`)
    }
  })

  it('depends on its key', () => {
    const [a, b] = [new KeyedHash(1, 2), new KeyedHash(1, 3)]
    a.of('192.0.2.1')
    b.of('192.0.2.1')
    assert.notEqual(a.low, b.low)
  })
})

describe('the table', () => {
  for (const [name, algorithm] of ALGORITHMS) {
    it(`${name}: fault: rotating keys evict the victim’s counter`, () => {
      const { table, take } = tableOf(algorithm(), 1024)
      for (let i = 0; i < 5; i++) assert.equal(take('victim', SECOND), true)
      const before = new Set<number>()
      for (let i = 0; i < 100_000; i++) {
        take(`attacker ${i}`, SECOND + i)
        if (i % 10_000 === 0) {
          assert.equal(take('victim', SECOND + i), false, 'forgotten')
          before.add(table.bytes)
        }
      }
      assert.equal(take('victim', SECOND + 100_000), false)
      assert.ok(table.strangers > 0)
      // Its memory has an end.
      const perKey = 8 + 8 * algorithm().width
      assert.ok(table.bytes <= 1024 * perKey + 2 * 256 * algorithm().width * 8, `${table.bytes}`)
    })

    it(`${name}: a known key is counted alone, however many strangers there are`, () => {
      const { take } = tableOf(algorithm(), 64)
      assert.equal(take('known', SECOND), true)
      for (let i = 0; i < 20_000; i++) take(`stranger ${i}`, SECOND)
      for (let i = 1; i < 5; i++) assert.equal(take('known', SECOND), true, `request ${i + 1} of 5`)
      assert.equal(take('known', SECOND), false)
    })

    it(`${name}: no key is ever given more than its limit, in the table or beside it`, () => {
      const requests = fc.array(
        fc.record({ key: fc.integer({ min: 0, max: 60 }), after: fc.integer({ min: 0, max: 4_000_000 }) }),
        { maxLength: 400 },
      )
      fc.assert(
        fc.property(requests, (list) => {
          const crowded = tableOf(algorithm(), 8)
          // Beside it for each key a table of its own, that is only told of what has passed.
          const alone = new Map<number, ReturnType<typeof tableOf>>()
          let now = SECOND
          for (const { key, after } of list) {
            now += after
            if (!crowded.take(`${key}`, now)) continue
            const own = alone.get(key) ?? tableOf(algorithm(), 8)
            alone.set(key, own)
            assert.equal(own.take('own', now), true, `key ${key} was given more than its limit`)
          }
        }),
        { numRuns: 200 },
      )
    })

    it(`${name}: a table that is never full decides as one table for each key would`, () => {
      const { table, take } = tableOf(algorithm(), 4096)
      const alone = new Map<number, ReturnType<typeof tableOf>>()
      let seed = 7
      for (let i = 0; i < 30_000; i++) {
        seed = (seed * 48_271) % 2_147_483_647
        const key = seed % 700
        const now = SECOND + i * 3000
        const own = alone.get(key) ?? tableOf(algorithm(), 8)
        alone.set(key, own)
        assert.equal(take(`${key}`, now), own.take('own', now))
      }
      assert.equal(table.strangers, 0)
    })
  }

  it('is filled to three quarters before a key finds no place', () => {
    const { table, take } = tableOf(Gcra.of(1, 3_600_000, 1) as Algorithm, 8192)
    let keys = 0
    while (table.strangers === 0) take(`key ${keys++}`, SECOND)
    assert.ok(keys > 0.75 * 8192, `${keys}`)
  })

  it('gives places back as soon as nothing is owed', () => {
    const { table, take } = tableOf(Gcra.of(5, 1000, 5) as Algorithm, 64)
    for (let round = 0; round < 100; round++) {
      for (let i = 0; i < 40; i++) assert.equal(take(`${round}/${i}`, SECOND + round * SECOND), true)
    }
    assert.equal(table.strangers, 0)
    assert.ok(table.bytes <= 64 * 24, 'it has not grown')
  })
})

describe('several limits at once', () => {
  const storeOf = (limits: ReturnType<typeof limitsOf>) =>
    new LocalStore(limits, ({ algorithm }) => algorithm, hash(), 1024)

  it('a request that one refuses is charged by none', () => {
    const limits = limitsOf([{ max: 10 }, { max: 2, name: 'tight' }])
    const store = storeOf(limits)
    for (let i = 0; i < 2; i++) assert.equal(store.decide(claimsOf(limits), SECOND), true)
    for (let i = 0; i < 50; i++) {
      const claims = claimsOf(limits)
      assert.equal(store.decide(claims, SECOND), false)
      assert.deepEqual(
        claims.map(({ fits, remaining }) => ({ fits, remaining })),
        [
          { fits: true, remaining: 8 },
          { fits: false, remaining: 0 },
        ],
      )
    }
  })

  it('one on trial refuses nothing, and is not charged beyond what fits', () => {
    const limits = limitsOf([{ max: 10 }, { max: 2, dryRun: true }])
    const store = storeOf(limits)
    const fits: boolean[] = []
    for (let i = 0; i < 10; i++) {
      const claims = claimsOf(limits)
      assert.equal(store.decide(claims, SECOND), true)
      fits.push(claims[1]?.fits as boolean)
    }
    assert.deepEqual(fits, [true, true, ...new Array(8).fill(false)])
    assert.equal(store.decide(claimsOf(limits), SECOND), false)
  })

  it('costs what it costs, and nothing for nothing', () => {
    const limits = limitsOf([{ max: 10, cost: 4 }])
    const store = storeOf(limits)
    const decide = (cost: number): boolean =>
      store.decide(
        claimsOf(limits).map((one) => ({ ...one, cost })),
        SECOND,
      )
    assert.equal(decide(4), true)
    assert.equal(decide(4), true)
    assert.equal(decide(4), false)
    assert.equal(decide(0), true)
    assert.equal(decide(2), true)
    assert.equal(decide(1), false)
    assert.equal(decide(0), true)
  })

  it('by a part of a limit, what costs more than the part takes all of it', () => {
    const limits = limitsOf([{ max: 10 }], 10)
    const store = new LocalStore(limits, ({ part }) => part, hash(), 1024)
    const decide = (cost: number, ip: string): boolean =>
      store.decide(
        claimsOf(limits, ip).map((one) => ({ ...one, cost })),
        SECOND,
      )
    assert.equal(decide(8, '192.0.2.1'), true)
    assert.equal(decide(1, '192.0.2.1'), false)
    assert.equal(decide(11, '192.0.2.2'), false, 'more than the whole limit never fits')
  })
})

describe('a client’s network', () => {
  for (const [address, prefix, network] of [
    ['2001:db8:1:2:3:4:5:6', 48, '2001:db8:1::/48'],
    ['2001:db8:1:ffff:3:4:5:6', 56, '2001:db8:1:ff00::/56'],
    ['2001:db8:1:ffff::6', 128, '2001:db8:1:ffff:0:0:0:6'],
    ['2001:db8:1:ffff::6', 127, '2001:db8:1:ffff:0:0:0:6/127'],
    ['2001:db8::', 1, '0::/1'],
    ['::ffff:c000:0207', 64, '192.0.2.7'],
    ['::ffff:192.0.2.7', 128, '192.0.2.7'],
    ['::fffe:192.0.2.7', 64, '0:0:0:0::/64'],
  ] as const) {
    it(`of ${address} with ${prefix} bits is ${network}`, () =>
      assert.equal(clientNetwork(address, prefix), network))
  }
})
