import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { OpenLoop } from '../../bench/availability/open-loop.ts'

function* at(...times: number[]): Generator<{ at: number }, never> {
  for (const time of times) yield { at: time }
  while (true) yield { at: Number.POSITIVE_INFINITY }
}

test('what is due at once may ask for the time, and everything comes in order and not early', async () => {
  const seen: number[] = []
  const loop: OpenLoop<{ at: number }> = new OpenLoop(at(0, 0, 5, 5, 20), (arrival, late) => {
    assert.ok(loop.elapsed() >= arrival.at)
    assert.ok(late >= 0)
    seen.push(arrival.at)
  })
  assert.deepEqual(seen, [])
  await sleep(60)
  loop.stop()
  assert.deepEqual(seen, [0, 0, 5, 5, 20])
})

test('nothing is started after it was stopped', async () => {
  const seen: number[] = []
  const loop = new OpenLoop(at(0, 15), (arrival) => seen.push(arrival.at))
  await sleep(5)
  loop.stop()
  await sleep(25)
  assert.deepEqual(seen, [0])
})
