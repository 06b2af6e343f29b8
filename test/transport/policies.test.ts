import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FastifyInstance } from 'fastify'
import type { Outcome } from '../../plugins/upstreams/contract.ts'
import type { FailoverPolicy } from '../../plugins/upstreams/failover-policy.ts'
import { startFaulty, wire } from '../support/faulty.ts'
import { rawRequest, startGateway } from '../support/gateway.ts'
import { deadOrigin, startTarget } from '../support/target.ts'
import { ask, eventually, gatewayTo, idle } from './support.ts'

const AGREED = 'HTTP/1.1 101 Switching Protocols\nUpgrade: websocket\nConnection: upgrade'

test('a health source or a balancer that throws fails no request, and is told of once', async (t) => {
  const [one, two] = [await startTarget(t), await startTarget(t)]
  const lines: string[] = []
  const throws = (): never => {
    throw new Error('secret')
  }
  const { app, port } = await startGateway(
    {
      upstreams: { main: { targets: [{ origin: one.origin }, { origin: two.origin }] } },
      routes: [{ path: '/*', upstream: 'main' }],
    } as object,
    {
      log: (line) => lines.push(line),
      use: async ({ upstreams }) => {
        upstreams.addHealthSource({ name: 'mine', allows: () => true, trusts: throws, admit: throws })
        upstreams.defineBalancer('broken', () => ({ pick: throws }))
        upstreams.balance('main', 'broken', {})
      },
    },
  )
  t.after(() => {
    app.server.closeAllConnections()
    void app.close()
  })
  for (let i = 0; i < 20; i++)
    assert.equal((await ask(port, { method: i < 10 ? 'GET' : 'POST' })).status, 200)
  assert.ok(one.seen.length > 0 && two.seen.length > 0)
  for (const who of ['the health source "mine"', 'the balancer "broken" of the upstream "main"'])
    assert.equal(lines.filter((line) => JSON.parse(line).msg === `${who} has failed`).length, 1, who)
  await idle({ app })
})

test('a plugin that throws when a retry is made is a 500 of that request, and of an upgrade', async (t) => {
  let calls = 0
  const gateway = await gatewayTo(t, [await deadOrigin(), await deadOrigin()], {
    use: async (app) => {
      app.onAttempt(() => {
        calls++
        if (calls % 2 === 0) throw new Error('secret')
      })
    },
  })
  const { status, body } = await ask(gateway.port)
  assert.equal(status, 500)
  assert.doesNotMatch(body.toString(), /secret/)
  assert.equal(calls, 2)
  const answer = await rawRequest(
    gateway.port,
    'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
  )
  assert.match(answer, /^HTTP\/1\.1 500 /)
  assert.doesNotMatch(answer, /secret/)
  assert.equal(calls, 4)
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

test('a failover policy that throws is as none: what a target says stands, and a timer ends no process', async (t) => {
  const answering = await startTarget(t, (_seen, response) => response.writeHead(503).end('busy'))
  const frozen = await startFaulty(t, () => {})
  const outcomes: Outcome[] = []
  const broken = {
    decide: () => {
      throw new Error('secret')
    },
    hedgeAfterMs: () => {
      throw new Error('secret')
    },
  }
  const use = async (app: FastifyInstance): Promise<void> => {
    Object.assign(app.upstreams.failover as FailoverPolicy, broken)
    app.upstreams.subscribe((_target, outcome) => outcomes.push(outcome))
  }
  const timeouts = { response: '50ms' }
  for (const [origin, status] of [
    [answering.origin, 503],
    [frozen.origin, 504],
  ] as const) {
    const gateway = await gatewayTo(t, origin, { upstream: { timeouts }, use })
    assert.equal((await ask(gateway.port)).status, status)
    await idle(gateway)
  }
  assert.deepEqual(
    outcomes.map((outcome) => (outcome.kind === 'answered' ? outcome.status : outcome.kind)),
    [503, 'failed'],
  )
})

test('who throws when he hears of an outcome fails neither the request nor the process', async (t) => {
  const target = await startTarget(t)
  const frozen = await startFaulty(t, () => {})
  for (const [origin, status] of [
    [target.origin, 200],
    [frozen.origin, 504],
  ] as const) {
    let heard = 0
    const fail = (): void => {
      heard++
      throw new Error('secret')
    }
    const gateway = await gatewayTo(t, origin, {
      upstream: { timeouts: { response: '50ms' }, failover: { retries: 0, hedge: false } },
      use: async (app) => {
        app.upstreams.defineBalancer('broken', () => ({ pick: ([first]) => first, onOutcome: fail }))
        app.upstreams.balance('main', 'broken', {})
        app.upstreams.addHealthSource({ name: 'broken', allows: () => true, onOutcome: fail })
        app.upstreams.subscribe(fail)
      },
    })
    assert.equal((await ask(gateway.port)).status, status)
    assert.equal(heard, 3)
    await idle(gateway)
  }
})

test('a plugin that gives an answer a header that HTTP does not know fails that answer, however it is sent', async (t) => {
  const answers: Readonly<Record<string, string>> = {
    '/gathered': wire('HTTP/1.1 200 OK\nContent-Length: 2', 'ok'),
    '/typed': wire('HTTP/1.1 200 OK\nContent-Type: text/plain\nContent-Length: 2', 'ok'),
    '/empty': wire('HTTP/1.1 200 OK\nContent-Length: 0'),
    '/events': wire('HTTP/1.1 200 OK\nContent-Type: text/event-stream'),
    // These are sent by timers: when the time to gather is over, and when that for an answer is.
    '/streamed': wire('HTTP/1.1 200 OK\nTransfer-Encoding: chunked', '2\r\nok\r\n'),
    '/none': '',
  }
  const target = await startFaulty(t, ({ socket, head }) => {
    socket.write(answers[head.split(' ')[1] as string] ?? wire('HTTP/1.1 200 OK\nContent-Length: 2', 'ok'))
  })
  const outcomes: Outcome[] = []
  const gateway = await gatewayTo(t, target.origin, {
    upstream: { timeouts: { response: '100ms' }, failover: { retries: 0, hedge: false } },
    use: async (app) => {
      app.upstreams.subscribe((_target, outcome) => outcomes.push(outcome))
      app.addHook('onRequest', async ({ url }, reply) => {
        if (url !== '/good') reply.header('x-broken', 'a\nb')
      })
    },
  })
  for (const url of Object.keys(answers)) {
    const { status, body } = await ask(gateway.port, { url })
    assert.equal(status, 500, url)
    assert.match(String(body), /GTW_INTERNAL/, url)
  }
  await idle(gateway)
  // Only the one that did not answer.
  assert.deepEqual(
    outcomes.map(({ kind }) => kind).filter((kind) => kind === 'failed'),
    ['failed'],
  )
  assert.equal((await ask(gateway.port, { url: '/good' })).status, 200)
})

test('a plugin that gives an upgrade such a header fails that upgrade', async (t) => {
  const target = await startFaulty(t, ({ socket, head }) => {
    if (head.startsWith('GET /agreed')) socket.write(wire(AGREED))
    else socket.write(wire('HTTP/1.1 403 No\nContent-Length: 0'))
  })
  const gateway = await gatewayTo(t, target.origin, {
    route: { upgrade: ['websocket'] },
    use: async (app) => {
      app.addHook('onRequest', async (_request, reply) => void reply.header('x-broken', 'a\nb'))
    },
  })
  for (const path of ['/agreed', '/refused']) {
    const upgrade = `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n`
    assert.doesNotMatch(await rawRequest(gateway.port, upgrade).catch(String), /101|403/, path)
    await idle(gateway)
  }
})

test('a check of a body that throws lets nothing through, and ends no process', async (t) => {
  const target = await startTarget(t)
  const { port } = await gatewayTo(t, target.origin, {
    use: async (app) => {
      app.addHook('onRequest', async (request) => {
        request.bodyCheck = () => {
          throw new Error('secret')
        }
      })
    },
  })
  for (const body of ['', 'hi']) {
    const answer = await ask(port, { method: 'POST', body })
    assert.equal(answer.status, 500)
    assert.doesNotMatch(String(answer.body), /secret/)
  }
  assert.equal(target.seen.length, 0)
})

test('who throws when he hears of the end of a request keeps it from no one else', async (t) => {
  const target = await startTarget(t)
  let heard = 0
  const { port } = await gatewayTo(t, target.origin, {
    use: async (app) => {
      app.onRequestEnd(() => {
        throw new Error('secret')
      })
      app.onRequestEnd(() => void heard++)
    },
  })
  assert.equal((await ask(port)).status, 200)
  await eventually(() => heard === 1, 'the other one has heard')
})

test('a hook that throws at a retry gives the lease back', async (t) => {
  let attempts = 0
  const gateway = await gatewayTo(t, [await deadOrigin(), await deadOrigin()], {
    use: async (app) => {
      app.onAttempt(() => {
        if (attempts++ > 0) throw new Error('secret')
      })
    },
  })
  assert.equal((await ask(gateway.port)).status, 500)
  assert.equal(attempts, 2)
  await idle(gateway)
})
