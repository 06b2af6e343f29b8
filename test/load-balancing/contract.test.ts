import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { duration, integer, object, withDefault } from '../../plugins/config/kit.ts'
import type { Balancer, PolicyContext } from '../../plugins/upstreams/contract.ts'
import { Registry } from '../../plugins/upstreams/registry.ts'
import { balancerContract } from '../contracts/balancer.ts'
import { buildGateway } from '../support/gateway.ts'
import { testRequest, testTargets } from '../support/test-targets.ts'

// Those that the gateway has when all its plugins are loaded: a new one is held to the contract by being there.
const app = await buildGateway({ upstreams: {}, routes: [] })
const registered = (app.upstreams as Registry).balancers
await app.close()

for (const [name, balancer] of registered) {
  balancerContract(name, (context) => balancer.create(context, {}))
}

/** The example of the README and the docs. */
function fewestInflight({ random }: PolicyContext): Balancer {
  return {
    pick(candidates) {
      const fewest = Math.min(...candidates.map((target) => target.inflight))
      const tied = candidates.filter((target) => target.inflight === fewest)
      return tied[Math.floor(random() * tied.length)] ?? candidates[0]
    },
  }
}
balancerContract('fewest-inflight', fewestInflight)

it('the gateway registers its balancers as a stranger would', () => {
  assert.deepEqual([...registered.keys()].slice(0, 3), ['round-robin', 'random', 'weighted'])
})

describe('options of a user’s own balancer', () => {
  const sticky = object({ turns: integer({ minimum: 1 }), start: withDefault(duration(), '2s') })
  const registry = new Registry({ now: () => 0, random: () => 0 }, { main: { targets: [], capacity: 1 } })
  const heard: unknown[] = []
  registry.defineBalancer('plain', () => ({ pick: (candidates) => candidates[0] }))
  registry.defineBalancer(
    'sticky-n',
    (_context, options: { turns: number; start: number }) => {
      if (options.turns === 13) throw new Error('13 turns bring bad luck; write 12')
      heard.push(options)
      return { pick: (candidates) => candidates[0] }
    },
    sticky,
  )
  const problems = (name: string, options: object): string[] =>
    (registry.balancers.get(name)?.problems(options) ?? []).map(({ path, message }) => `${path}: ${message}`)

  it('are checked at the start, all of them', () => {
    assert.deepEqual(problems('sticky-n', { turns: '2x', trns: 1, start: 'soon' }), [
      'trns: unknown key; did you mean "turns"?',
      'turns: must be a whole number, is "2x"',
      'start: must be a duration like "250ms", "2s" or milliseconds, is "soon"',
    ])
    assert.deepEqual(problems('sticky-n', {}), ['turns: is required'])
    assert.deepEqual(problems('sticky-n', { turns: 13 }), [': 13 turns bring bad luck; write 12'])
  })

  it('reach it read, with what it has by default', async () => {
    const main = registry.upstream('main')
    main.add({ origin: 'http://127.0.0.1:1' })
    registry.balance('main', 'sticky-n', { turns: 3 })
    main.lease(testRequest())
    assert.deepEqual(heard.at(-1), { turns: 3, start: 2000 })
  })

  it('are none where it has not said which', () => {
    for (const name of ['plain', 'round-robin', 'random', 'weighted', 'smooth-weighted']) {
      const found = (name === 'plain' ? registry.balancers : registered).get(name)?.problems({ weight: 1 })
      assert.deepEqual(found, [{ path: '', message: 'takes no options, but "weight" is set; take it out' }])
    }
    assert.deepEqual(problems('plain', {}), [])
  })
})

it('fewest-inflight picks one of those with the fewest', () => {
  const targets = testTargets(3)
  targets[0].inflight = 2
  const balancer = fewestInflight({ now: () => 0, random: () => 0.99 })
  assert.equal(balancer.pick(targets, testRequest()), targets[2])
})
