import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { readGateway } from '../support/config.ts'
import { buildGateway } from '../support/gateway.ts'
import { type Answer, startTarget } from '../support/target.ts'

const API = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'x-frame-options': 'DENY',
  'cross-origin-resource-policy': 'same-origin',
}
const NAMES =
  /^(x-content-type-options|referrer-policy|content-security-policy|x-frame-options|permissions-policy|cross-origin-.*|strict-transport-security|server|x-powered-by|x-inside)$/

async function setup(t: TestContext, gateway: object, routes: readonly object[], answer?: Answer) {
  const target = await startTarget(t, answer)
  const app = await buildGateway({
    server: { trustProxy: ['127.0.0.1'] },
    upstreams: {
      users: { targets: [{ origin: target.origin }] },
      dead: { targets: [{ origin: 'http://127.0.0.1:9' }], failover: { hedge: false } },
    },
    routes: routes.map((route) => ({ upstream: 'users', ...route })),
    ...gateway,
  })
  t.after(() => app.close())
  return async (url: string, scheme = 'http') => {
    const { headers } = await app.inject({ url, headers: { 'x-forwarded-proto': scheme } })
    return Object.fromEntries(Object.entries(headers).filter(([name]) => NAMES.test(name)))
  }
}

const talkative: Answer = ({ url }, response) => {
  response.setHeader('server', 'Apache/2.4.1')
  response.setHeader('X-Powered-By', 'PHP/5')
  response.setHeader('x-inside', '1')
  response.setHeader('content-security-policy', "default-src 'self'")
  response.setHeader('strict-transport-security', 'max-age=1')
  if (url === '/stream') response.setHeader('content-type', 'text/event-stream')
  response.end('ok')
}
const ITS = { 'content-security-policy': "default-src 'self'", 'strict-transport-security': 'max-age=1' }

describe('security headers', () => {
  it('are on every answer: of targets, of the gateway, errors, its own endpoints', async (t) => {
    const get = await setup(t, { securityHeaders: {} }, [
      { path: '/ok' },
      { path: '/dead', upstream: 'dead' },
      { path: '/own', upstream: undefined, respond: { status: 200, body: 'x' } },
    ])
    for (const url of ['/ok', '/dead', '/own', '/nowhere', '/livez', '/a%00'])
      assert.deepEqual(await get(url), API, url)
  })

  it('say HSTS over TLS only (RFC 6797, 7.2)', async (t) => {
    const hsts = { maxAge: '730d', includeSubDomains: true, preload: true }
    const get = await setup(t, { securityHeaders: {} }, [
      { path: '/default' },
      { path: '/own', securityHeaders: { hsts } },
      { path: '/off', securityHeaders: { hsts: false } },
    ])
    const of = async (url: string, scheme?: string) => (await get(url, scheme))['strict-transport-security']
    assert.deepEqual(
      [await of('/default', 'https'), await of('/own', 'https'), await of('/off', 'https'), await of('/own')],
      ['max-age=31536000', 'max-age=63072000; includeSubDomains; preload', undefined, undefined],
    )
  })

  it('leave what an upstream says itself, unless they override it; what tells of its inside goes', async (t) => {
    const get = await setup(
      t,
      { securityHeaders: {} },
      [
        { path: '/off', securityHeaders: false },
        { path: '/over', securityHeaders: { override: true, remove: ['x-inside'] } },
        { path: '/*' },
      ],
      talkative,
    )
    assert.deepEqual(await get('/'), { ...API, ...ITS, 'x-inside': '1' })
    assert.deepEqual(await get('/stream'), { ...API, ...ITS, 'x-inside': '1' })
    assert.deepEqual(await get('/over', 'https'), {
      ...API,
      'strict-transport-security': 'max-age=31536000',
      server: 'Apache/2.4.1',
      'x-powered-by': 'PHP/5',
    })
    assert.deepEqual(await get('/off'), {
      ...ITS,
      server: 'Apache/2.4.1',
      'x-powered-by': 'PHP/5',
      'x-inside': '1',
    })
  })

  it('are those of the preset, but for what is written', async (t) => {
    const web = {
      preset: 'web',
      contentSecurityPolicy: false,
      embedderPolicy: 'require-corp',
      frameOptions: false,
    }
    const get = await setup(t, {}, [{ path: '/web', securityHeaders: web }, { path: '/none' }], talkative)
    assert.deepEqual(await get('/web'), {
      ...ITS,
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'strict-origin-when-cross-origin',
      'permissions-policy': 'camera=(), geolocation=(), microphone=()',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-embedder-policy': 'require-corp',
      'cross-origin-resource-policy': 'same-site',
      'x-inside': '1',
    })
    assert.equal((await get('/none'))['server'], 'Apache/2.4.1')
  })

  const WRONG: [object, RegExp][] = [
    [{ contentSecurityPolicy: 'a\r\nset-cookie: x' }, /contentSecurityPolicy: is neither printable text/],
    [{ referrerPolicy: 'never' }, /referrerPolicy: is none of the choices/],
    [{ hsts: { preload: true } }, /hsts\.preload: is taken by browsers only with/],
    [{ remove: ['content-type'] }, /says how to read the answer/],
    [{ presets: 'web' }, /unknown key; did you mean "preset"/],
  ]
  for (const [securityHeaders, message] of WRONG) {
    it(`refused at the start: ${message}`, async () => {
      const upstreams = { users: { targets: [{ origin: 'http://127.0.0.1:9' }] } }
      const { problems } = await readGateway({ securityHeaders, upstreams, routes: [] }, 'test.config.ts')
      assert.match(problems.map((one) => `${one.path}: ${one.message}`).join('\n'), message)
    })
  }
})
