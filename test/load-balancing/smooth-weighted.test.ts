import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { smoothWeighted } from '../../plugins/load-balancing/choose/smooth-weighted.ts'
import type { Balancer, Candidates } from '../../plugins/upstreams/contract.ts'
import { seededDice } from '../support/dice.ts'
import { type TestTarget, testRequest, testTarget } from '../support/test-targets.ts'

function weights(list: readonly number[]): Candidates {
  return list.map((weight, i) => testTarget(i + 1, { weight })) as unknown as Candidates
}

function picks(balancer: Balancer, candidates: Candidates, n: number): number[] {
  return Array.from({ length: n }, () => candidates.indexOf(balancer.pick(candidates, testRequest())))
}

function series(list: readonly number[], n: number): number[] {
  const balancer = smoothWeighted()
  const candidates = weights(list)
  balancer.onTargets?.(candidates)
  return picks(balancer, candidates, n)
}

/** nginx's, as its source has it: the oracle. */
function nginx(list: readonly number[], n: number): number[] {
  const current = list.map(() => 0)
  const total = list.reduce((a, b) => a + b)
  return Array.from({ length: n }, () => {
    for (const [i, weight] of list.entries()) current[i]! += weight
    const best = current.indexOf(Math.max(...current.filter((_, i) => list[i] !== 0)))
    current[best]! -= total
    return best
  })
}

/** By how many picks a target was ever ahead of its share or behind it, from the first pick on. */
function furthestOff(picked: readonly number[], list: readonly number[]): number {
  const total = list.reduce((a, b) => a + b)
  const counts = list.map(() => 0)
  let most = 0
  for (const [n, i] of picked.entries()) {
    counts[i]!++
    // Only of the one picked is this its largest, and of the others looking now and then is enough.
    const off = (k: number) => Math.abs((counts[k] as number) - ((n + 1) * (list[k] as number)) / total)
    most = Math.max(most, off(i))
    if (n % 97 === 0) for (const k of list.keys()) most = Math.max(most, off(k))
  }
  return most
}

describe('smooth weighted round robin', () => {
  it('A5 B1 C1 is A A B A C A A, again and again', () => {
    assert.equal(
      series([5, 1, 1], 14)
        .map((i) => 'ABC'[i])
        .join(' '),
      'A A B A C A A A A B A C A A',
    )
  })

  for (const list of [
    [1],
    [1, 1, 1],
    [4, 2, 1],
    [10, 7, 3, 1],
    [1, 0, 2],
    [3, 3, 3, 1],
    [2, 9, 1, 1, 1, 5, 6, 2],
  ]) {
    it(`is nginx's order for ${list.join(' ')}`, () => {
      assert.deepEqual(series(list, 200), nginx(list, 200))
    })
  }

  for (const n of [17, 100, 1000]) {
    it(`keeps ${n} targets in proportion, each to within two picks at any time`, () => {
      const dice = seededDice(n)
      const list = Array.from({ length: n }, () => 1 + Math.floor(dice() * 9))
      assert.ok(furthestOff(series(list, 40 * n), list) <= 2)
    })

    it(`takes ${n} equal targets in rounds`, () => {
      const picked = series(new Array(n).fill(1), 5 * n)
      for (let round = 1; round < 5; round++) {
        assert.equal(new Set(picked.slice(round * n, (round + 1) * n)).size, n)
      }
    })
  }

  it('one with half of the weight beside many that differ is off by a few picks more, and makes up for them', () => {
    for (const [n, most] of [
      [20, 4],
      [100, 8],
      [1000, 20],
    ] as const) {
      const dice = seededDice(3)
      const list = [n, ...Array.from({ length: n }, () => 0.5 + dice())]
      const picked = series(list, 60_000)
      const off = furthestOff(picked, list)
      assert.ok(off > 2 && off <= most, `${off} with ${n}`)
      const part = n / list.reduce((a, b) => a + b)
      const count = picked.filter((i) => i === 0).length
      assert.ok(Math.abs(count - part * picked.length) <= most, `${count} with ${n}`)
    }
  })

  it('spreads one that is much heavier than 999 others evenly', () => {
    const list = [1000, ...new Array(999).fill(1)]
    const at = series(list, 8000).flatMap((i, n) => (i === 0 ? [n] : []))
    assert.ok(Math.abs(at.length - 4000) <= 12, `${at.length} of 8000`)
    const gaps = at.slice(1).map((n, i) => n - (at[i] as number))
    assert.ok(Math.max(...gaps) <= 6, `a gap of ${Math.max(...gaps)}`)
  })

  it('copes with weights that are a million times apart', () => {
    const list = [1e6, ...new Array(40).fill(1), 0.001]
    const light = series(list, 200_000).filter((i) => i !== 0).length
    assert.ok(Math.abs(light - 8) <= 3, `${light} of 200,000, and not 40 in a million`)
  })

  it('never picks a weight of 0, and counts all alike where all are 0', () => {
    for (const n of [4, 40]) {
      const list = Array.from({ length: n }, (_, i) => (i % 2 === 0 ? 0 : 3))
      assert.ok(series(list, 500).every((i) => i % 2 === 1))
      assert.equal(new Set(series(new Array(n).fill(0), n)).size, n)
    }
  })

  it('keeps what each has earned when others come and go', () => {
    const balancer = smoothWeighted()
    const [a, b, c, d] = weights([5, 1, 1, 1]) as unknown as [TestTarget, TestTarget, TestTarget, TestTarget]
    const order: string[] = []
    const names = new Map([a, b, c, d].map((target, i) => [target, 'ABCD'[i] as string]))
    const use = (list: readonly TestTarget[], n: number): void => {
      const candidates = list as unknown as Candidates
      balancer.onTargets?.(candidates)
      for (let i = 0; i < n; i++)
        order.push(names.get(balancer.pick(candidates, testRequest()) as TestTarget) as string)
    }
    use([a, b, c], 3)
    // It was B's turn just now: C's is due next, whatever else changes.
    use([c, a, b], 2)
    use([a, b, c, d], 8)
    assert.equal(order.slice(0, 5).join(' '), 'A A B A C')
    assert.deepEqual(
      ['A', 'B', 'C', 'D'].map((name) => order.slice(5).filter((one) => one === name).length),
      [5, 1, 1, 1],
    )
  })

  it('stays in proportion through a change with every few picks', () => {
    for (const [least, most] of [
      [3, 9],
      [12, 20],
      [60, 90],
    ] as const) {
      const dice = seededDice(most)
      const all = weights(Array.from({ length: most }, (_, i) => 1 + (i % 4))) as unknown as TestTarget[]
      const balancer = smoothWeighted()
      const staying = all.slice(0, least)
      const counts = new Map(all.map((target) => [target, 0]))
      const due = new Map(all.map((target) => [target, 0]))
      for (let change = 0; change < 400; change++) {
        const list = [...staying, ...all.slice(least).filter(() => dice() < 0.5)] as unknown as Candidates
        balancer.onTargets?.(list)
        const total = list.reduce((sum, { weight }) => sum + weight, 0)
        for (let i = 0; i < 5; i++) {
          const target = balancer.pick(list, testRequest()) as TestTarget
          counts.set(target, (counts.get(target) as number) + 1)
          for (const one of list as unknown as TestTarget[]) {
            due.set(one, (due.get(one) as number) + one.weight / total)
          }
        }
      }
      for (const target of staying) {
        const off = (counts.get(target) as number) / (due.get(target) as number) - 1
        assert.ok(Math.abs(off) < 0.1, `${target.weight}: ${off} off with ${least} of ${most}`)
      }
    }
  })

  for (const n of [7, 50]) {
    it(`gateways that start together do not march in step (${n} targets)`, () => {
      const starts = new Array<number>(n).fill(0)
      for (let seed = 0; seed < 200 * n; seed++) {
        const balancer = smoothWeighted({ random: seededDice(seed) })
        const candidates = weights(new Array(n).fill(1))
        balancer.onTargets?.(candidates)
        const picked = picks(balancer, candidates, n)
        assert.equal(new Set(picked).size, n, 'a round from any place is a round')
        starts[picked[0] as number]!++
      }
      // Of many, the places lie evenly but not exactly so.
      for (const count of starts) assert.ok(count > 80 && count < 400, `${starts}`)
    })
  }

  it('begins anywhere in the order of unequal weights, which stays as it is', () => {
    const order = 'AABACAA'.repeat(4)
    const seen = new Set<string>()
    for (let seed = 0; seed < 200; seed++) {
      const balancer = smoothWeighted({ random: seededDice(seed) })
      const candidates = weights([5, 1, 1])
      balancer.onTargets?.(candidates)
      const turns = picks(balancer, candidates, 14)
        .map((i) => 'ABC'[i])
        .join('')
      assert.ok(order.includes(turns), turns)
      seen.add(turns)
    }
    assert.equal(seen.size, 7)
  })

  it('follows a weight that changes', () => {
    const balancer = smoothWeighted()
    const candidates = weights([1, 1, 1]) as unknown as [TestTarget, TestTarget, TestTarget]
    balancer.onTargets?.(candidates)
    picks(balancer, candidates, 7)
    candidates[0].weight = 4
    balancer.onTargets?.(candidates)
    const seen = picks(balancer, candidates, 60)
    assert.ok(Math.abs(seen.filter((i) => i === 0).length - 40) <= 1)
  })
})
