/** Most targets are marked down while nothing is under way: those that are left are known, and serve. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { Target } from '../../plugins/upstreams/contract.ts'
import { silent, virtualGateway } from '../support/virtual.ts'

it('in panic no POST goes to a target that checks have marked down, though it was last seen to work', async (t) => {
  const tiers = new Array(21).fill(0)
  const gateway = await virtualGateway(t, { tiers, upstream: { loadBalancing: 'least-requests' } })
  const { app, targets, behaviours, sent, posts } = gateway
  const down = new Set<Target>()
  app.upstreams.addHealthSource({ name: 'checks', allows: (target) => !down.has(target) })
  await gateway.load({ ms: 2000, everyMs: 2 })
  await gateway.pass(60_000)
  for (const [i, target] of targets.slice(0, 12).entries()) {
    behaviours[i] = silent
    down.add(target)
    app.upstreams.announce({
      name: 'unhealthy',
      upstream: 'main',
      target,
      by: 'checks',
      why: 'no answer',
      level: 'warn',
    })
    app.upstreams.changed(target)
  }
  const before = posts.slice(0, 12).reduce((a, b) => a + b)
  // One after the other, and none so late that doubt would have lapsed by itself.
  for (let i = 0; i < 40; i++) {
    const post = gateway.send('POST')
    await gateway.pass(500)
    assert.equal(post.status, 200)
    post.leave()
  }
  assert.ok(gateway.events.includes('panic'))
  assert.equal(
    posts.slice(0, 12).reduce((a, b) => a + b),
    before,
  )
  // First attempts of what can be repeated find out: a trickle, a tenth of what they usually get.
  const firsts = sent.slice(0, 12).reduce((a, b) => a + b)
  const results = await gateway.load({ ms: 4000, everyMs: 2, postEvery: Number.POSITIVE_INFINITY })
  await gateway.pass(60_000)
  const trickle = sent.slice(0, 12).reduce((a, b) => a + b) - firsts
  assert.ok(trickle < results.length * 0.2, `${trickle} of ${results.length}`)
})
