/** CORS by the Fetch standard: what browsers are told, and that an upstream has no say in it. */
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { originMatcher, refuseOrigin } from '../../plugins/cors/origins.ts'
import { varying } from '../../plugins/cors/policy.ts'
import { GatewayError } from '../../plugins/upstreams/errors.ts'
import { readGateway } from '../support/config.ts'
import { rawRequest, startGateway } from '../support/gateway.ts'
import { type Answer, startTarget } from '../support/target.ts'
import { ask } from '../transport/support.ts'

const APP = 'https://app.example.com'
const CORS = {
  origins: [APP, 'https://*.trusted.example', /https:\/\/pr-\d+\.preview\.example/],
  credentials: true,
  exposedHeaders: ['x-total'],
}

async function setup(t: TestContext, routes: readonly object[], more: object = {}, answer?: Answer) {
  const target = await startTarget(t, answer)
  const ran: string[] = []
  const gateway = await startGateway(
    {
      upstreams: {
        main: { targets: [{ origin: target.origin }], failover: { hedge: false } },
        dead: { targets: [{ origin: 'http://127.0.0.1:9' }], failover: { hedge: false } },
      },
      routes: routes.map((route) => ({ upstream: 'main', ...route })),
      ...more,
    } as object,
    {
      use: async (app) =>
        app.addGuard({
          name: 'auth',
          stage: 'authenticate',
          forRoute: () => (request) => {
            ran.push(request.method)
            if (request.headers['x-deny'] !== undefined)
              throw new GatewayError('GTW_UNAUTHENTICATED', 401, 'client', 'no', {
                headers: { vary: 'Accept' },
              })
          },
        }),
    },
  )
  t.after(() => {
    gateway.app.server.closeAllConnections()
    void gateway.app.close()
  })
  return { target, ran, port: gateway.port }
}

const preflight = (port: number, headers: object = {}, url = '/') =>
  ask(port, {
    url,
    method: 'OPTIONS',
    headers: { origin: APP, 'access-control-request-method': 'PUT', ...headers },
  })

function said(headers: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => /^(access-control-|vary$)/.test(name)))
}

describe('a preflight', () => {
  it('is answered by the gateway: no upstream, no guard behind it, no credentials', async (t) => {
    const { port, target, ran } = await setup(t, [{ path: '/', methods: ['GET', 'PUT'], cors: CORS }])
    const response = await preflight(port, {
      'access-control-request-headers': 'x-a, Content-Type',
      'x-deny': '1',
    })
    assert.equal(response.status, 204)
    assert.equal(response.body.length, 0)
    assert.deepEqual(said(response.headers), {
      'access-control-allow-origin': APP,
      'access-control-allow-credentials': 'true',
      'access-control-allow-methods': 'GET, PUT',
      'access-control-allow-headers': 'x-a, Content-Type',
      'access-control-max-age': '600',
      vary: 'Origin, Access-Control-Request-Headers',
    })
    assert.deepEqual([target.seen.length, ran], [0, []])
  })

  it('of another origin is refused, and says why', async (t) => {
    const { port, target, ran } = await setup(t, [{ path: '/', cors: CORS }])
    for (const origin of [
      'https://evil.example',
      `${APP}.evil.example`,
      'https://APP.example.com',
      'null',
      '',
    ]) {
      const response = await preflight(port, { origin })
      assert.equal(response.status, 403, origin)
      assert.deepEqual(said(response.headers), { vary: 'Origin' })
    }
    assert.deepEqual([target.seen.length, ran], [0, []])
  })

  it('is told the headers and methods of the config, and of private networks', async (t) => {
    const cors = { ...CORS, methods: ['GET'], headers: ['x-a'], maxAge: '1h', privateNetwork: true }
    const { port } = await setup(t, [{ path: '/', cors }])
    const response = await preflight(port, {
      'access-control-request-headers': 'x-b',
      'access-control-request-private-network': 'true',
    })
    assert.deepEqual(said(response.headers), {
      'access-control-allow-origin': APP,
      'access-control-allow-credentials': 'true',
      'access-control-allow-methods': 'GET',
      'access-control-allow-headers': 'x-a',
      'access-control-allow-private-network': 'true',
      'access-control-max-age': '3600',
      vary: 'Origin, Access-Control-Request-Private-Network',
    })
    assert.equal((await preflight(port)).headers['access-control-allow-private-network'], undefined)
    // What is no list of names is not sent back.
    const { port: other } = await setup(t, [{ path: '/', cors: { origins: ['*'] } }])
    const odd = await preflight(other, { 'access-control-request-headers': 'x-a, <script>' })
    assert.equal(odd.headers['access-control-allow-headers'], undefined)
    assert.equal(odd.headers['access-control-allow-origin'], '*')
  })

  it('has an Origin: without one it is a request like any other, by its own method', async (t) => {
    const { port, target } = await setup(t, [{ path: '/', methods: ['OPTIONS', 'PUT'], cors: CORS }])
    const asks = { 'access-control-request-method': 'PUT' }
    assert.equal((await ask(port, { method: 'OPTIONS', headers: asks })).status, 200)
    assert.equal(target.seen[0]?.method, 'OPTIONS')
  })

  it('belongs to the route by the method that it asks for; others have OPTIONS as they had', async (t) => {
    const { port, target } = await setup(t, [
      { path: '/a', methods: ['PUT'], cors: CORS },
      { path: '/a', methods: ['GET', 'OPTIONS'] },
      { path: '/b', methods: ['OPTIONS', 'PUT'], cors: CORS },
    ])
    assert.equal((await preflight(port, {}, '/a')).status, 204)
    assert.equal((await preflight(port, { 'access-control-request-method': 'GET' }, '/a')).status, 200)
    assert.equal(target.seen.length, 1)
    assert.equal((await ask(port, { url: '/b', method: 'OPTIONS' })).status, 200)
    assert.equal(target.seen.length, 2)
  })
})

describe('an answer', () => {
  const forged: Answer = ({ url }, response) => {
    response.setHeader('access-control-allow-origin', '*')
    response.setHeader('access-control-allow-credentials', 'true')
    response.setHeader('access-control-expose-headers', 'x-secret')
    response.setHeader('vary', 'Accept-Encoding')
    if (url === '/stream') {
      response.setHeader('content-type', 'text/event-stream')
      response.write('data: 1\n\n')
      response.end('data: 2\n\n')
    } else if (url === '/large') response.end('x'.repeat(300_000))
    else if (url === '/500') response.writeHead(500).end('no')
    else if (url === '/304') response.writeHead(304).end()
    else response.end('ok')
  }
  const EXPECTED = {
    'access-control-allow-origin': APP,
    'access-control-allow-credentials': 'true',
    'access-control-expose-headers': 'x-total',
    vary: 'Accept-Encoding, Origin',
  }

  it('says what the config says in place of the upstream: whole, streamed, large or an error', async (t) => {
    const { port } = await setup(t, [{ path: '/*', cors: CORS }], {}, forged)
    for (const [url, status] of [
      ['/', 200],
      ['/stream', 200],
      ['/large', 200],
      ['/500', 500],
      ['/304', 304],
    ] as const) {
      const response = await ask(port, { url, headers: { origin: APP } })
      assert.equal(response.status, status)
      assert.ok(response.complete)
      assert.deepEqual(said(response.headers), EXPECTED, url)
    }
    for (const headers of [{}, { origin: 'https://evil.example' }]) {
      const response = await ask(port, { headers })
      // Not access control: the browser keeps it from the page. Caches are told even where nobody asked.
      assert.equal(response.status, 200)
      assert.deepEqual(said(response.headers), { vary: 'Accept-Encoding, Origin' })
    }
  })

  it('of the gateway itself can be read by the page as well: 401, 413, 502, one that broke', async (t) => {
    const { port } = await setup(
      t,
      [
        { path: '/dead', upstream: 'dead', cors: CORS },
        { path: '/*', cors: CORS },
      ],
      { server: { bodyLimit: 10 } },
      (_seen, response) => {
        response.setHeader('access-control-allow-origin', '*')
        response.write('part')
        response.destroy()
      },
    )
    const errors = [
      [await ask(port, { headers: { origin: APP, 'x-deny': '1' } }), 401, 'Accept, Origin'],
      [await ask(port, { url: '/dead', headers: { origin: APP } }), 502, 'Origin'],
      [await ask(port, { method: 'POST', body: 'x'.repeat(20), headers: { origin: APP } }), 413, 'Origin'],
      [await ask(port, { headers: { origin: APP } }), 502, 'Origin'],
    ] as const
    for (const [response, status, vary] of errors) {
      assert.equal(response.status, status)
      assert.deepEqual(said(response.headers), { ...EXPECTED, vary }, String(status))
    }
  })

  it('of a route without is left as it is, and a route may leave the gateway’s out', async (t) => {
    const { port } = await setup(
      t,
      [{ path: '/own', cors: { origins: ['*'] } }, { path: '/none', cors: false }, { path: '/*' }],
      { cors: CORS },
      forged,
    )
    const vary = async (url: string) => said((await ask(port, { url, headers: { origin: APP } })).headers)
    assert.deepEqual(await vary('/own'), { 'access-control-allow-origin': '*', vary: 'Accept-Encoding' })
    assert.equal((await vary('/none'))['access-control-expose-headers'], 'x-secret')
    assert.deepEqual(await vary('/'), EXPECTED)
    assert.equal((await preflight(port, {}, '/none')).headers['access-control-allow-origin'], '*')
  })
})

it('a WebSocket is not opened for the page of another site (cross-site WebSocket hijacking)', async (t) => {
  const { port, target } = await setup(t, [{ path: '/ws', cors: CORS }, { path: '/*' }])
  let opened = 0
  target.server.on('upgrade', (_request, socket) => {
    opened++
    socket.end('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n')
  })
  const open = async (path: string, origin: string): Promise<string> => {
    const text = `GET ${path} HTTP/1.1\r\nhost: api.example.com:80\r\nconnection: upgrade\r\nupgrade: websocket\r\n${origin}\r\n`
    return (await rawRequest(port, text)).slice(9, 12)
  }
  for (const origin of ['', `origin: ${APP}\r\n`, 'origin: https://api.example.com:80\r\n'])
    assert.equal(await open('/ws', origin), '101', origin)
  for (const origin of [
    'https://evil.example',
    'https://api.example.com',
    'null',
    'https://api.example.com:80.evil',
  ])
    assert.equal(await open('/ws', `origin: ${origin}\r\n`), '403', origin)
  assert.equal(opened, 3)
  assert.equal(await open('/', 'origin: https://evil.example\r\n'), '101')
})

describe('origins', () => {
  it('are compared to the letter, as a whole', () => {
    const matches = originMatcher([
      ...CORS.origins,
      '~https://[a-z]+\\.x\\.example',
      /https:\/\/once\.example/g,
      'null',
    ])
    const YES = [
      APP,
      'https://a.trusted.example',
      'https://a.b.trusted.example',
      'https://pr-12.preview.example',
      'https://abc.x.example',
      'https://once.example',
      'https://once.example',
      'null',
    ]
    const NO = [
      'https://app.example.com:8443',
      'http://app.example.com',
      'https://trusted.example',
      'https://.trusted.example',
      'https://evil.example/.trusted.example',
      'https://evil.example?.trusted.example',
      'https://eviltrusted.example',
      'https://evil.example#a.trusted.example',
      'https://a.trusted.example.evil.example',
      'https://pr-12.preview.example.evil.example',
      'https://evil.example/https://pr-12.preview.example',
      'https://a.x.example\nhttps://b',
    ]
    for (const origin of YES) assert.equal(matches(origin), true, origin)
    for (const origin of NO) assert.equal(matches(origin), false, origin)
  })

  it('are what a browser sends, or are refused', () => {
    for (const good of [
      'https://a.example',
      'http://localhost:3000',
      'https://*.a.example',
      'https://[::1]:8080',
    ])
      assert.equal(refuseOrigin(good), undefined, good)
    for (const good of ['chrome-extension://abcdef', 'capacitor://localhost', '*', 'null', /a/])
      assert.equal(refuseOrigin(good), undefined, String(good))
    for (const bad of [
      'a.example',
      'https://a.example/',
      'https://A.example',
      'https://a.example:443',
      'https://*',
      3,
      '',
      'https://a.*.example',
      'https://a b',
    ])
      assert.notEqual(refuseOrigin(bad), undefined, String(bad))
  })

  const WRONG: [object, RegExp][] = [
    [{ origins: ['*'], credentials: true }, /cors\.credentials: lets the pages of all sites act/],
    [{ origins: ['null'], credentials: true }, /'null' with credentials/],
    [{ origins: ['*', APP] }, /'\*' is all of them/],
    [{ origins: [/https:\/\/(a+)+\.example/] }, /origins\[0\]: the regex .* backtracks catastrophically/],
    [{ origins: ['~('] }, /cannot be compiled/],
    [{ origins: ['https://a.example/'] }, /is not what a browser sends as an origin; write/],
    [{}, /cors\.origins: is required/],
    [{ origins: [] }, /needs at least one origin/],
  ]
  it('that go too far are refused at the start, all at once', async () => {
    const { problems } = await readGateway(
      {
        upstreams: { users: { targets: [{ origin: 'http://127.0.0.1:9' }] } },
        routes: WRONG.map(([cors], i) => ({ path: `/${i}`, upstream: 'users', cors })),
      },
      'test.config.ts',
    )
    for (const [i, [, message]] of WRONG.entries()) {
      const told = problems.filter(({ path }) => path.startsWith(`routes[${i}].`))
      assert.match(told.map((one) => `${one.path}: ${one.message}`).join('\n'), message)
    }
  })
})

it('Vary grows by what is not in it', () => {
  assert.equal(varying('', 'Origin'), 'Origin')
  assert.equal(varying('Accept', 'Origin'), 'Accept, Origin')
  assert.equal(varying('accept, ORIGIN', 'Origin'), 'accept, ORIGIN')
  assert.equal(varying('*', 'Origin'), '*')
})
