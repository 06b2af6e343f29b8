/** An open-loop load on a target with a fixed number of servers, in virtual time. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { quantile, simulate } from './support.ts'

const SERVICE = 20

/** Twice as much as so many servers can do. */
const doubled = (servers: number, forMs = 60_000) => ({
  servers,
  service: SERVICE,
  rate: (2 * servers * 1000) / SERVICE,
  forMs,
})

const after = <T extends { came: number }>(
  results: readonly T[],
  from: number,
  to = Number.POSITIVE_INFINITY,
) => results.filter(({ came }) => came >= from && came < to)
const latencies = (results: readonly { latency: number }[]) => results.map(({ latency }) => latency)

describe('a target that is asked for twice what it can do', () => {
  for (const servers of [5, 10, 40]) {
    it(`with ${servers} servers: the limit finds them, latency is bounded, and none of them idles`, () => {
      const { results, limits } = simulate([doubled(servers)], {})
      const settled = limits.filter(({ at }) => at > 10_000).map(({ limit }) => limit)
      // Where the gradient is that of limit / servers: limit = 1.25 c + sqrt(1.25 c).
      const fixed = 1.25 * servers + Math.sqrt(1.25 * servers)
      const middle = quantile(settled, 0.5)
      assert.ok(middle >= servers && middle <= fixed * 1.15 + 1, `${middle}, and ${fixed} by the formula`)
      const late = after(results, 10_000)
      assert.ok(quantile(latencies(late), 0.99) <= 2.2 * SERVICE, `p99 ${quantile(latencies(late), 0.99)} ms`)
      const possible = (50_000 / SERVICE) * servers
      // A tenth is the price of measuring minRTT, with more servers than are let at work then.
      assert.ok(late.length >= 0.9 * possible, `${late.length} of ${possible}`)
    })
  }

  it('without a limit: latency grows without bound', () => {
    const { results, waiting } = simulate([doubled(10)], undefined)
    const p50 = (from: number, to: number) => quantile(latencies(after(results, from, to)), 0.5)
    assert.ok(p50(20_000, 25_000) > 100 * SERVICE)
    assert.ok(waiting > 10_000)
  })

  it('and then loses half of its servers: the limit follows', () => {
    const half = { ...doubled(10), rate: doubled(20).rate }
    const { results, limits } = simulate([doubled(20), half], {})
    const middle = (from: number) =>
      quantile(
        limits.filter(({ at }) => at >= from && at < from + 20_000).map(({ limit }) => limit),
        0.5,
      )
    const before = middle(20_000)
    const later = middle(100_000 - 20_000)
    assert.ok(later < 0.7 * before && later >= 10, `${before}, then ${later}`)
    assert.ok(quantile(latencies(after(results, 70_000)), 0.99) <= 2.5 * SERVICE)
  })
})

it('a target that has enough to spare is hardly held back', () => {
  const load = { servers: 50, service: SERVICE, rate: 1000, forMs: 120_000 }
  const { results, refused } = simulate([load], {})
  // What is refused is refused while minRTT is measured.
  assert.ok(refused < 0.03 * (results.length + refused), `${refused} of ${results.length + refused}`)
  assert.equal(Math.round(quantile(latencies(results), 0.99)), SERVICE)
})
