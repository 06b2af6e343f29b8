import assert from 'node:assert/strict'
import { it } from 'node:test'
import { Agenda } from '../../simulate/agenda.ts'
import { dice } from '../../simulate/dice.ts'

it('hands out what is due in the order of time, whatever the order it came in', () => {
  const random = dice(1, 1)
  const agenda = new Agenda()
  const times: number[] = []
  const taken: number[] = []
  for (let i = 0; i < 20_000; i++) {
    // Never before what was taken already, as in a simulation.
    const time = (taken.at(-1) ?? 0) + random() * 50
    agenda.add(time, i % 6, i, i * 7)
    times.push(time)
    if (random() < 0.6) continue
    taken.push(agenda.next)
    agenda.take()
    assert.equal(times[agenda.subject], taken.at(-1), 'the entry that is taken is the one that was due')
    assert.equal(agenda.kind, agenda.subject % 6)
    assert.equal(agenda.stamp, agenda.subject * 7)
  }
  while (agenda.size > 0) {
    taken.push(agenda.next)
    agenda.take()
  }
  assert.equal(taken.length, times.length)
  assert.deepEqual(
    taken,
    times.toSorted((a, b) => a - b),
  )
})

it('has nothing due when it is empty', () => {
  const agenda = new Agenda()
  assert.equal(agenda.next, Number.POSITIVE_INFINITY)
  agenda.add(3, 0, 0, 0)
  agenda.take()
  assert.equal(agenda.next, Number.POSITIVE_INFINITY)
})
