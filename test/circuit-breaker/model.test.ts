import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import type { BreakerState } from '../../plugins/circuit-breaker/breaker.ts'
import { bad, breakerOf, left, ok } from './support.ts'

/**
 * Against a model that knows which attempt is which, through all states and in any order: an outcome counts in the
 * state in which its attempt was admitted and in no other, and while it is half-open as many probes can be out as
 * there are permits, never more and, as none is ever lost, never fewer.
 */
it('keeps its promises in any order of events', () => {
  const outcomes = { success: ok(), failure: bad(), neither: left }
  const end = fc.record({
    what: fc.constant('end' as const),
    how: fc.constantFrom('success', 'success', 'failure', 'neither'),
    pick: fc.nat(),
  })
  const steps = fc.array(
    fc.oneof(
      { weight: 4, arbitrary: fc.record({ what: fc.constant('admit' as const) }) },
      { weight: 4, arbitrary: end },
      { weight: 1, arbitrary: fc.record({ what: fc.constant('wake' as const) }) },
    ),
    { minLength: 100, maxLength: 200 },
  )
  const arbitrary = fc.record({
    consecutive: fc.integer({ min: 1, max: 3 }),
    probes: fc.integer({ min: 1, max: 3 }),
    successes: fc.integer({ min: 1, max: 3 }),
    steps,
  })
  const seen = { closed: 0, open: 0, 'half-open': 0 }
  fc.assert(
    fc.property(arbitrary, ({ steps, ...options }) => {
      const { consecutive, probes, successes } = options
      const { breaker, clock, halfOpen } = breakerOf({ ...options, minimum: 1_000_000 })
      // `count` is of this phase: failures in a row, or successes of probes.
      const model = { state: 'closed' as BreakerState, phase: 0, count: 0 }
      const out: { phase: number; startedAt: number }[] = []
      const enter = (state: BreakerState): void => {
        Object.assign(model, { state, phase: model.phase + 1, count: 0 })
        seen[state]++
      }
      const admit = (): void => {
        const probing = out.filter(({ phase }) => phase === model.phase).length
        const may = model.state === 'closed' || (model.state === 'half-open' && probing < probes)
        assert.equal(breaker.admit(), may, `${model.state}, ${probing} of ${probes} probes`)
        if (may) out.push({ phase: model.phase, startedAt: clock.now() })
      }
      const wake = (): void => {
        if (model.state !== 'open') return
        halfOpen()
        enter('half-open')
      }
      const end = (pick: number, how: keyof typeof outcomes): void => {
        const [ended] = out.splice(pick % out.length, 1)
        if (ended === undefined) return
        clock.advance(1)
        breaker.settle(outcomes[how], ended.startedAt)
        if (ended.phase !== model.phase || how === 'neither') return
        if (model.state === 'half-open') {
          if (how === 'failure') enter('open')
          else if (++model.count >= successes) enter('closed')
        } else {
          model.count = how === 'failure' ? model.count + 1 : 0
          if (model.count >= consecutive) enter('open')
        }
      }
      for (const step of steps) {
        if (step.what === 'admit') admit()
        else if (step.what === 'wake') wake()
        else end(step.pick, step.how)
        assert.equal(breaker.state, model.state)
      }
    }),
    { seed: 11, numRuns: 1000 },
  )
  assert.ok(
    Object.values(seen).every((times) => times > 500),
    JSON.stringify(seen),
  )
})
