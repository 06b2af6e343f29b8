/** What clients are told when something fails, whatever it is and whenever it does. */
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { FastifyInstance, onSendHookHandler } from 'fastify'
import { buildGateway } from '../support/gateway.ts'
import { deadOrigin, startTarget } from '../support/target.ts'

async function gatewayWith(
  t: TestContext,
  config: { routes?: readonly object[] },
  use?: (app: FastifyInstance) => Promise<void>,
) {
  const target = await startTarget(t)
  const dead = { targets: [{ origin: await deadOrigin() }] }
  const logged: string[] = []
  const upstreams = { u: { targets: [{ origin: target.origin }] }, dead }
  const app = await buildGateway(
    { upstreams, routes: [], ...config },
    { log: (line) => logged.push(line), ...(use && { use }) },
  )
  t.after(() => app.close())
  return { app, logged }
}

describe('a hook of a plugin that fails on every answer', () => {
  const HOOKS: Record<string, onSendHookHandler> = {
    'hands over an error': (_request, _reply, _payload, done) => done(new Error('secret')),
    throws: () => {
      throw new Error('secret')
    },
    rejects: async () => {
      throw Object.assign(new Error('secret'), { statusCode: 418 })
    },
    'throws nothing': async () => {
      throw undefined
    },
    'sets a bad value': async (_request, reply, payload) => {
      reply.header('x-bad', 'a\nsecret')
      return payload
    },
    'sets a bad name': (_request, reply, payload, done) => {
      reply.header('x bad secret', 'a')
      done(null, payload)
    },
    'returns what cannot be sent': async () => ({ secret: true }),
  }
  const routes = [
    { path: '/proxied', upstream: 'u' },
    { path: '/dead', upstream: 'dead' },
    { path: '/respond', respond: { body: 'x' } },
    { path: '/redirect', redirect: '/x' },
    { path: '/denied', upstream: 'u', addresses: { deny: ['127.0.0.1'] } },
  ]
  for (const [name, hook] of Object.entries(HOOKS)) {
    it(`${name}: clients read nothing of it, only GTW_INTERNAL`, async (t) => {
      const { app } = await gatewayWith(t, { routes }, async (app) => {
        app.addHook('onSend', hook)
        app.get('/endpoint', async () => ({ fine: true }))
        app.get('/failing', async () => {
          throw new Error('secret')
        })
        await app.register(async (scope) => {
          scope.get('/late', async () => ({ fine: true }))
        })
      })
      const paths = [
        '/proxied',
        '/dead',
        '/respond',
        '/redirect',
        '/denied',
        '/endpoint',
        '/failing',
        '/late',
      ]
      for (const url of [...paths, '/none', '/livez']) {
        const { statusCode, headers, body } = await app.inject(url)
        assert.equal(statusCode, name === 'throws nothing' ? statusCode : 500, url)
        if (name === 'throws nothing' && statusCode < 500) continue
        assert.equal(headers['content-type'], 'application/problem+json', url)
        assert.equal(JSON.parse(body).code, 'GTW_INTERNAL', url)
        assert.doesNotMatch(JSON.stringify(headers) + body, /secret/, url)
      }
      assert.equal((await app.inject({ method: 'HEAD', url: '/endpoint' })).body, '')
    })
  }

  it('is told of in the log, inside and all', async (t) => {
    const { app, logged } = await gatewayWith(t, {}, async (app) => {
      app.addHook('onSend', HOOKS['throws'] as onSendHookHandler)
    })
    await app.inject('/livez')
    assert.ok(logged.some((line) => line.includes('an answer could not be sent') && line.includes('secret')))
  })
})

it('a hook that fails once is an internal error with all that the hooks add', async (t) => {
  let failed = false
  const { app } = await gatewayWith(t, {}, async (app) => {
    app.addHook('onSend', async (_request, reply, payload) => {
      reply.header('x-hook', 'ran')
      if (failed) return payload
      failed = true
      throw new Error('secret')
    })
  })
  const { statusCode, headers, body } = await app.inject('/livez')
  assert.deepEqual([statusCode, headers['x-hook']], [500, 'ran'])
  assert.equal(JSON.parse(body).code, 'GTW_INTERNAL')
  assert.doesNotMatch(body, /secret/)
})

it('an answer that fails on its way takes its description along: an error is not kept as what it was to be', async (t) => {
  const described = {
    'content-encoding': 'gzip',
    etag: '"1"',
    'last-modified': 'Thu, 26 Nov 2026 00:00:00 GMT',
  }
  const { app } = await gatewayWith(t, {}, async (app) => {
    app.get('/file', async (_request, reply) => {
      reply.headers({ ...described, 'x-other': '1' })
      throw new Error('secret')
    })
  })
  const { headers, body } = await app.inject('/file')
  for (const name of Object.keys(described)) assert.equal(headers[name], undefined, name)
  assert.equal(headers['x-other'], '1')
  assert.equal(headers['content-length'], String(Buffer.byteLength(body)))
  assert.equal(JSON.parse(body).code, 'GTW_INTERNAL')
})

it('an error with a status that is none of an error is a 500, and says nothing', async (t) => {
  const { app, logged } = await gatewayWith(t, {}, async (app) => {
    app.get('/:status', async ({ params }) => {
      const { status } = params as { status: string }
      throw Object.assign(new Error('secret'), { statusCode: Number(status) })
    })
  })
  for (const status of [200, 304, 399, 600, 999]) {
    const { statusCode, body } = await app.inject(`/${status}`)
    assert.equal(statusCode, 500, String(status))
    assert.equal(JSON.parse(body).status, 500)
    assert.doesNotMatch(body, /secret/)
  }
  for (const [status, told] of [
    [400, true],
    [499, true],
    [500, false],
    [599, false],
  ] as const) {
    const { statusCode, body } = await app.inject(`/${status}`)
    assert.equal(statusCode, status)
    assert.equal(/secret/.test(body), told, String(status))
  }
  assert.ok(!logged.some((line) => line.includes('could not be sent')))
})

it('an error handler of a plugin goes before the gateway’s, even if it is set late', async (t) => {
  const { app } = await gatewayWith(t, {}, async (app) => {
    await app.register(async (scope) => {
      scope.get('/own', async () => {
        throw new Error('secret')
      })
      scope.setErrorHandler((_error, _request, reply) => reply.code(503).send({ own: true }))
    })
  })
  const { statusCode, body } = await app.inject('/own')
  assert.deepEqual([statusCode, body], [503, '{"own":true}'])
})

describe('responseHeaders of a route', () => {
  const responseHeaders = {
    set: { 'x-frame-options': 'DENY', 'cache-control': 'public, max-age=3600', 'content-type': 'text/html' },
    add: { vary: 'x-tenant', 'set-cookie': 'a=1' },
    remove: ['x-request-id'],
  }
  it('are on its errors too, but for those that describe a body; CORS and security headers stay', async (t) => {
    const more = { responseHeaders, cors: { origins: ['https://a.example'] }, securityHeaders: true }
    const { app } = await gatewayWith(t, {
      routes: [
        { path: '/dead', upstream: 'dead', ...more },
        { path: '/limited', upstream: 'u', rateLimit: { max: 1, per: '1h' }, ...more },
      ],
    })
    const ask = (url: string) => app.inject({ url, headers: { origin: 'https://a.example' } })
    await ask('/limited')
    for (const [url, status] of [
      ['/dead', 502],
      ['/limited', 429],
    ] as const) {
      const { statusCode, headers, body } = await ask(url)
      assert.equal(statusCode, status, body)
      assert.equal(headers['x-frame-options'], 'DENY')
      assert.equal(headers['content-type'], 'application/problem+json')
      assert.notEqual(headers['cache-control'], 'public, max-age=3600', 'an error is not kept for an hour')
      assert.match(String(headers.vary), /x-tenant/)
      assert.deepEqual([headers['set-cookie']].flat(), ['a=1'])
      assert.equal(headers['x-request-id'], undefined)
      assert.equal(headers['access-control-allow-origin'], 'https://a.example')
      assert.equal(headers['x-content-type-options'], 'nosniff')
      if (status === 429) assert.ok(Number(headers['retry-after']) > 0)
    }
  })

  it('do not double a cookie that the route sets itself', async (t) => {
    const respond = { headers: { 'set-cookie': 'b=2' } }
    const { app } = await gatewayWith(t, { routes: [{ path: '/r', respond, responseHeaders }] })
    assert.deepEqual((await app.inject('/r')).headers['set-cookie'], ['b=2', 'a=1'])
  })
})
