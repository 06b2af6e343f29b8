import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import type { AnswerStream } from '../../plugins/transport/answer.ts'
import { Attempt } from '../../plugins/transport/attempt.ts'
import type { AttemptOwner } from '../../plugins/transport/attempt-owner.ts'
import {
  BodyTooLargeError,
  ClientLeftError,
  failureError,
  failureReason,
  SlowClientError,
} from '../../plugins/transport/errors.ts'
import { Memory } from '../../plugins/transport/memory.ts'
import { failed } from '../../plugins/transport/outcomes.ts'
import type { Outcome } from '../../plugins/upstreams/contract.ts'
import { evidenceAgainst } from '../../plugins/upstreams/evidence.ts'

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
  const lease = {
    target: { inflight: 1, tunnels: 0 },
    heard() {},
    settle: (outcome: Outcome) => outcomes.push(outcome),
    release() {},
  }
  const attempt = new Attempt(
    owner,
    lease as never,
    'first',
    { pool: { dispatch() {} }, crowd: { add() {}, remove() {}, requestWaits() {} } } as never,
    {
      method: 'GET',
      path: '/',
      headers: [],
      body: null,
      timeouts: { connect: 0, response: 0, idle: IDLE },
      // No timer: the tests say themselves when a deadline is looked at.
      deadlines: { watch() {}, unwatch() {} } as never,
      connections: 1,
      queueTimeout: 0,
      gather: 0,
      gatherWithin: 0,
      memory: new Memory(1_000_000),
    },
  )
  attempt.send()
  const controller = { pause() {}, resume() {}, abort() {} } as never
  attempt.onRequestStart(controller)
  attempt.onResponseStart(controller, 200, { 'content-length': '1000000' })
  attempt.onResponseData(controller, Buffer.alloc(64 * 1024))
  return { attempt, stream: streams[0] as AnswerStream, outcomes }
}

test('a client that takes nothing is not the target’s failure', () => {
  const { attempt, outcomes } = streaming()
  const before = attempt.deadline
  attempt.expired(before)
  assert.ok(attempt.deadline > before)
  assert.deepEqual(outcomes, [])
})

test('a target has the whole idle deadline once a slow client has made room', async () => {
  const { attempt, stream, outcomes } = streaming()
  // As long as there is no room, time goes by.
  while (performance.now() < attempt.deadline - IDLE + 20)
    await new Promise((resolve) => setImmediate(resolve))
  const resumedAt = performance.now()
  stream.read()
  assert.ok(attempt.deadline >= resumedAt + IDLE)
  attempt.expired(resumedAt + IDLE - 1)
  assert.deepEqual(outcomes, [])
})

test('a target that then sends nothing is cut', async () => {
  const { attempt, stream, outcomes } = streaming()
  stream.read()
  attempt.expired(attempt.deadline + 1)
  const [error] = await once(stream, 'error')
  assert.equal(error.statusCode, 504)
  assert.equal(outcomes[0]?.kind, 'failed')
})

test('what this machine has no room for is not held against a target', () => {
  for (const code of ['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EADDRNOTAVAIL']) {
    const error = Object.assign(new Error(code), { code })
    const reason = failureReason(error, false)
    assert.equal(reason, 'overflow', code)
    assert.equal(evidenceAgainst(failed(error, false, 1)), undefined)
    assert.equal(failureError(reason, error).code, 'GTW_OVERLOADED')
  }
  assert.equal(failureReason(Object.assign(new Error(), { code: 'ECONNREFUSED' }), false), 'connect')
})

test('what a client has done to its own request is not held against a target', () => {
  for (const error of [
    new BodyTooLargeError(),
    new SlowClientError(),
    new ClientLeftError(),
    Object.assign(new Error(), { code: 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH' }),
  ]) {
    const { attempt, stream, outcomes } = streaming()
    stream.on('error', () => {})
    attempt.onResponseError(undefined as never, error)
    assert.deepEqual(outcomes, [{ kind: 'abandoned' }], error.message)
  }
})
