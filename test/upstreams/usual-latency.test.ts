import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { UsualLatency } from '../../plugins/upstreams/usual-latency.ts'

describe('the usual latency', () => {
  it('follows RFC 6298', () => {
    const usual = new UsualLatency()
    assert.equal(usual.unusual(0), 1000, 'while nothing is known')
    usual.add(100)
    assert.equal(usual.unusual(0), 100 + 4 * 50)
    usual.add(140)
    // deviation 50 + (40 - 50) / 4, smoothed 100 + 40 / 8
    assert.equal(usual.unusual(0), 105 + 4 * 47.5)
    assert.equal(usual.unusual(1000), 1000)
  })

  it('is that of all, while nothing is known of the target', () => {
    const all = new UsualLatency()
    const one = new UsualLatency(all)
    new UsualLatency(all).add(100)
    assert.equal(one.unusual(0), 300)
    one.add(10)
    assert.equal(one.unusual(0), 30)
  })

  it('is not swept away by one answer that took a second, but follows if they all do', () => {
    const usual = new UsualLatency()
    for (let i = 0; i < 100; i++) usual.add(2)
    usual.add(1000)
    assert.ok(usual.unusual(0) < 10, `${usual.unusual(0)}`)
    for (let i = 0; i < 100; i++) usual.add(1000)
    assert.ok(usual.unusual(0) > 1000)
  })
})
