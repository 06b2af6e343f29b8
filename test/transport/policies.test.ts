import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rawRequest } from '../support/gateway.ts'
import { deadOrigin, startTarget } from '../support/target.ts'
import { ask, gatewayTo, idle } from './support.ts'

/** A user's policy that throws: it may fail a request, and nothing beyond it. */
test('a policy that throws is a 500 of that request', async (t) => {
  const target = await startTarget(t)
  let broken = true
  const gateway = await gatewayTo(t, target.origin, {
    use: async (app) => {
      app.upstreams.addHealthSource({
        name: 'broken',
        allows: () => true,
        admit: () => {
          if (broken) throw new Error('secret')
          return true
        },
      })
    },
  })
  const { status, body } = await ask(gateway.port)
  assert.equal(status, 500)
  assert.doesNotMatch(body.toString(), /secret/)
  broken = false
  assert.equal((await ask(gateway.port)).status, 200)
  await idle(gateway)
})

test('a policy that throws when a retry is placed is a 500 of that request', async (t) => {
  let calls = 0
  const gateway = await gatewayTo(t, [await deadOrigin(), await deadOrigin()], {
    use: async (app) => {
      app.upstreams.addHealthSource({
        name: 'broken',
        allows: () => true,
        admit: () => {
          calls++
          if (calls > 1) throw new Error('secret')
          return true
        },
      })
    },
  })
  const { status, body } = await ask(gateway.port)
  assert.equal(status, 500)
  assert.doesNotMatch(body.toString(), /secret/)
  assert.equal(calls, 2)
  await idle(gateway)
})

test('a policy that throws when the retry of an upgrade is placed is a 500 of that request', async (t) => {
  let calls = 0
  const gateway = await gatewayTo(t, [await deadOrigin(), await deadOrigin()], {
    use: async (app) => {
      app.upstreams.addHealthSource({
        name: 'broken',
        allows: () => true,
        admit: () => {
          calls++
          if (calls > 1) throw new Error('secret')
          return true
        },
      })
    },
  })
  const answer = await rawRequest(
    gateway.port,
    'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
  )
  assert.match(answer, /^HTTP\/1\.1 500 /)
  assert.doesNotMatch(answer, /secret/)
  assert.equal(calls, 2)
  await idle(gateway)
})

test('header edits that throw give the lease back', async (t) => {
  const target = await startTarget(t)
  const gateway = await gatewayTo(t, target.origin, {
    use: async (app) => {
      app.addHook('preHandler', (request, reply, done) => {
        const from = reply.from
        reply.from = (source, options) =>
          from.call(reply, source, {
            ...options,
            rewriteRequestHeaders: () => {
              throw new Error('secret')
            },
          })
        void request
        done()
      })
    },
  })
  const { status, body } = await ask(gateway.port)
  assert.equal(status, 500)
  assert.doesNotMatch(body.toString(), /secret/)
  assert.equal(target.seen.length, 0)
  await idle(gateway)
})
