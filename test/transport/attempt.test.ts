import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import type { AnswerStream } from '../../plugins/transport/answer.ts'
import { Attempt } from '../../plugins/transport/attempt.ts'
import type { AttemptOwner } from '../../plugins/transport/attempt-owner.ts'
import { Deadlines } from '../../plugins/transport/deadlines.ts'
import type { Outcome } from '../../plugins/upstreams/contract.ts'

const IDLE = 150

/** An attempt whose answer streams, with us in the place of undici and of the client. */
function streaming(): { attempt: Attempt; stream: AnswerStream; outcomes: Outcome[] } {
  const outcomes: Outcome[] = []
  const streams: AnswerStream[] = []
  const owner = {
    headed: () => 'keep',
    streams: (_attempt, stream) => streams.push(stream),
    broke() {},
  } as Partial<AttemptOwner> as AttemptOwner
  const lease = { target: {}, settle: (outcome: Outcome) => outcomes.push(outcome), release() {} }
  const attempt = new Attempt(owner, lease as never, {
    method: 'GET',
    path: '/',
    headers: [],
    body: null,
    timeouts: { connect: 0, response: 0, idle: IDLE },
    deadlines: new Deadlines(),
    gather: 0,
  })
  attempt.send({ pool: { dispatch() {} } } as never)
  const controller = { pause() {}, resume() {}, abort() {} } as never
  attempt.onRequestStart(controller)
  attempt.onResponseStart(controller, 200, { 'content-length': '1000000' })
  attempt.onResponseData(controller, Buffer.alloc(64 * 1024))
  return { attempt, stream: streams[0] as AnswerStream, outcomes }
}

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

test('a target has the whole idle deadline once a slow client has made room', async () => {
  const { attempt, stream, outcomes } = streaming()
  await wait(IDLE * 2.7)
  stream.read()
  const resumed = performance.now()
  await wait(IDLE * 0.8)
  if (performance.now() - resumed < IDLE) assert.deepEqual(outcomes, [])
  attempt.onResponseEnd()
  assert.equal(outcomes[0]?.kind, 'answered')
})

test('a target that then sends nothing is cut', async () => {
  const { stream, outcomes } = streaming()
  stream.read()
  const [error] = await once(stream, 'error')
  assert.equal(error.statusCode, 504)
  assert.equal(outcomes[0]?.kind, 'failed')
})
