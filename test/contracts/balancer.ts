import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Balancer, Candidates, Outcome, PolicyContext } from '../../plugins/upstreams/contract.ts'
import { seededDice, virtualClock } from '../support/dice.ts'
import { type TestTarget, testRequest, testTarget, testTargets } from '../support/test-targets.ts'

/** A list that throws when it is changed and, once `expire` was called, when it is read. */
function guarded(candidates: Candidates): { list: Candidates; expire: () => void } {
  let expired = false
  const list = new Proxy([...candidates], {
    get(target, property, receiver) {
      assert.equal(expired, false, 'a list of candidates is kept beyond the call that it was handed to')
      return Reflect.get(target, property, receiver)
    },
    set() {
      assert.fail('a list of candidates is not the balancer’s to change')
    },
    deleteProperty() {
      assert.fail('a list of candidates is not the balancer’s to change')
    },
  })
  return {
    list: list as unknown as Candidates,
    expire: () => {
      expired = true
    },
  }
}

const OUTCOMES: readonly Outcome[] = [
  { kind: 'answered', status: 200, latencyMs: 12 },
  { kind: 'answered', status: 503, latencyMs: 1 },
  { kind: 'failed', reason: 'connect', requestSent: false, latencyMs: 1 },
  { kind: 'failed', reason: 'timeout', requestSent: true, latencyMs: 1000 },
  { kind: 'abandoned' },
]

/**
 * What the registry, and so every gateway, relies on in a balancer: registers tests under its name. Yours
 * as well as ours must pass it:
 *
 *     balancerContract('fewest-inflight', (context) => fewestInflight(context))
 *
 * @param create makes a new balancer; called for each test
 */
export function balancerContract(name: string, create: (context: PolicyContext) => Balancer): void {
  function begin(seed = 1) {
    const clock = virtualClock()
    const balancer = create({ now: clock.now, random: seededDice(seed) })
    const told = (candidates: Candidates): Candidates => {
      balancer.onTargets?.(candidates)
      return candidates
    }
    return { balancer, clock, told }
  }

  /** A life of requests, outcomes and time; the picks that it came to. */
  function live(seed: number, rounds = 200): string[] {
    const { balancer, clock, told } = begin(seed)
    const targets = testTargets(4)
    const candidates = told(targets)
    return Array.from({ length: rounds }, (_, round) => {
      const target = balancer.pick(candidates, testRequest(`k${round % 17}`)) as TestTarget
      target.inflight++
      balancer.onInflight?.(target)
      clock.advance(3)
      balancer.onOutcome?.(target, OUTCOMES[round % OUTCOMES.length] as Outcome)
      if (round % 3 !== 0) target.inflight--
      balancer.onInflight?.(target)
      return target.id
    })
  }

  describe(`the contract of a balancer: ${name}`, () => {
    it('always picks one of the candidates, at once', () => {
      for (const count of [1, 2, 3, 7, 50]) {
        const { balancer, told } = begin(count)
        const candidates = told(testTargets(count))
        for (let i = 0; i < 200; i++) {
          const target = balancer.pick(candidates, testRequest(`k${i}`))
          assert.ok(candidates.includes(target), 'what is picked is no candidate (or a promise of one)')
        }
      }
    })

    it('has no trouble with a single target, whatever its figures', () => {
      for (const figures of [{}, { weight: 0 }, { inflight: 1000 }, { share: 0.01 }, { weight: 1e6 }]) {
        const { balancer, told } = begin()
        const candidates = told(testTargets(1, figures))
        for (let i = 0; i < 20; i++) assert.equal(balancer.pick(candidates, testRequest()), candidates[0])
      }
    })

    it('copes with targets that come and go', () => {
      const { balancer, told } = begin()
      const all = testTargets(12)
      for (const [from, to] of [
        [0, 12],
        [0, 3],
        [3, 12],
        [11, 12],
        [0, 1],
        [2, 9],
        [0, 12],
      ]) {
        const candidates = told(all.slice(from, to) as unknown as Candidates)
        for (let i = 0; i < 50; i++) {
          const target = balancer.pick(candidates, testRequest(`k${i}`))
          assert.ok(candidates.includes(target), 'a target that has gone is picked')
          balancer.onOutcome?.(target, OUTCOMES[i % OUTCOMES.length] as Outcome)
        }
      }
    })

    it('picks from the list that it is handed, even if it was told of another', () => {
      const { balancer, told } = begin()
      const all = testTargets(8)
      told(all)
      for (const list of [all.slice(5), all.slice(0, 1), testTargets(20)]) {
        const candidates = list as unknown as Candidates
        for (let i = 0; i < 50; i++) {
          assert.ok(candidates.includes(balancer.pick(candidates, testRequest(`k${i}`))))
        }
      }
    })

    it('needs to be told of no targets to pick one', () => {
      const candidates = testTargets(3)
      assert.ok(candidates.includes(begin().balancer.pick(candidates, testRequest()) as TestTarget))
    })

    it('hears of targets that it does not know, or no longer', () => {
      const { balancer, told } = begin()
      const candidates = told(testTargets(3))
      for (const outcome of OUTCOMES) balancer.onOutcome?.(testTarget(99), outcome)
      balancer.onInflight?.(testTarget(99))
      assert.ok(candidates.includes(balancer.pick(candidates, testRequest())))
    })

    it('throws only the dice that it is given: the same seed picks the same', () => {
      assert.deepEqual(live(3), live(3))
      assert.deepEqual(live(4), live(4))
    })

    it('neither changes nor keeps the list, nor changes a target', () => {
      const { balancer } = begin()
      const targets = testTargets(5).map((target) => Object.freeze(target)) as unknown as Candidates
      const told = guarded(targets)
      balancer.onTargets?.(told.list)
      told.expire()
      for (let i = 0; i < 50; i++) {
        const { list, expire } = guarded(targets)
        const target = balancer.pick(list, testRequest(`k${i}`))
        balancer.onOutcome?.(target, OUTCOMES[i % OUTCOMES.length] as Outcome)
        expire()
      }
    })

    it('uses every candidate in the long run where all are alike', () => {
      const { balancer, told } = begin(6)
      const candidates = told(testTargets(4))
      const seen = new Set(
        Array.from({ length: 400 }, (_, i) => balancer.pick(candidates, testRequest(`k${i}`))),
      )
      assert.equal(seen.size, 4)
    })
  })
}
