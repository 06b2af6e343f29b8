/**
 * Ways around a guarded prefix. With `/admin/*` guarded and `/*` open, whatever is written is refused or reaches the
 * upstream by a path that none of these servers would take for one under `/admin`.
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import fc from 'fast-check'
import { Lookalikes } from '../../plugins/authorization/lookalikes.ts'
import { readingsOf } from '../../plugins/authorization/readings.ts'
import { buildGateway, rawRequest, startGateway } from '../support/gateway.ts'
import { startTarget, type TestTarget } from '../support/target.ts'

// How servers read a path, step by step. Written on their own, apart from the gateway's code.
type Step = (path: string) => string
const latin1 = (path: string) =>
  path.replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)))
const decode: Step = latin1
const decodeIis: Step = (path) =>
  latin1(path.replace(/%u00([0-9a-f]{2})/gi, '%$1'))
    .replace(/[\xc0\xc1]([\x80-\xbf])/g, (two, low) =>
      String.fromCharCode(((two.charCodeAt(0) & 0x1f) << 6) | (low.charCodeAt(0) & 0x3f)),
    )
    .replace(/\xe0([\x80\x81])([\x80-\xbf])/g, (_, a, b) =>
      String.fromCharCode(((a.charCodeAt(0) & 0x3f) << 6) | (b.charCodeAt(0) & 0x3f)),
    )
const utf8: Step = (path) => Buffer.from(latin1(path), 'latin1').toString()
const nfkc: Step = (path) => path.normalize('NFKC')
const lower: Step = (path) => path.toLowerCase()
const parameters: Step = (path) =>
  path
    .split('/')
    .map((segment) => segment.split(';')[0])
    .join('/')
const backslash: Step = (path) => path.split('\\').join('/')
const nul: Step = (path) => path.split('\0')[0] as string
const mark: Step = (path) => path.split(/[?#]/)[0] as string
const streams: Step = (path) => path.replace(/:[^/\\:]*:\$[^/\\]*/g, '')
const spaces: Step = (path) => path.replace(/[\t\n\r]/g, '').trim()
const ends: Step = (path) =>
  path
    .split('/')
    .map((segment) => (/^\.+$/.test(segment) ? segment : segment.replace(/[. ]+$/, '')))
    .join('/')
const dots: Step = (path) => {
  const kept: string[] = []
  for (const segment of path.split('/')) {
    if (segment === '..') kept.pop()
    else if (segment !== '.' && segment !== '') kept.push(segment)
  }
  return `/${kept.join('/')}`
}
const SERVERS: Readonly<Record<string, readonly Step[]>> = {
  'to the letter': [],
  nginx: [decode, dots],
  'dots before decoding': [dots, decode],
  'case-insensitive': [lower, decode, dots, lower],
  'case-insensitive, decoding twice': [decode, decode, dots, lower],
  'case-insensitive, without dots': [decode, lower],
  'case-insensitive, twice, without dots': [decode, decode, lower],
  'wide letters': [utf8, nfkc, dots],
  'wide letters, case-insensitive': [utf8, nfkc, dots, lower],
  'decodes twice': [decode, decode, dots],
  'decodes thrice': [decode, decode, decode, dots],
  'decodes between': [decode, dots, decode, dots],
  servlets: [parameters, decode, dots],
  'servlets, decoding first': [decode, parameters, dots],
  'servlets that decode twice': [decode, parameters, decode, parameters, dots],
  'C strings': [decode, nul, dots],
  'C strings, decoding twice': [decode, decode, nul, dots],
  'URLs parsed again': [decode, mark, dots],
  'URLs parsed again, twice': [decode, mark, decode, mark, dots],
  browsers: [decode, spaces, backslash, dots],
  IIS: [decodeIis, backslash, dots, ends, lower],
  'IIS, decoding twice': [decodeIis, decodeIis, backslash, dots, ends, lower],
  Windows: [decode, backslash, ends, dots, lower],
  NTFS: [decode, backslash, streams, ends, dots, lower],
  'NTFS behind IIS': [decodeIis, decodeIis, backslash, dots, ends, streams, ends, lower],
  everything: [decodeIis, decodeIis, lower, parameters, backslash, nul, mark, spaces, ends, dots],
  'everything, otherwise': [
    parameters,
    decodeIis,
    backslash,
    parameters,
    dots,
    decodeIis,
    ends,
    spaces,
    lower,
    dots,
  ],
}

/** Who would take this for a path under /admin. */
function fooled(url: string): string[] {
  const path = url.split('?')[0] as string
  return Object.entries(SERVERS)
    .filter(([, steps]) => /^\/admin(?:\/|$)/.test(steps.reduce((text, step) => step(text), path)))
    .map(([name]) => name)
}

const KNOWN = String.raw`
  /admin/x /admin /admin/ /admin?x //admin/x /./admin/x /%2e/admin/x /%2E%2e/admin/x /ADMIN/x /Admin/x
  /admin%2fx /admin%2Fx /admin;a/x /admin;/x /;a/admin/x /a/..;/admin/x /a;b/../admin/x /a/..;b=c/admin
  /%61dmin/x /%2561dmin/x /%252561dmin/x /a%6din /adm%69n/x /x/%2e%2e/admin /x/%252e%252e/admin/y
  /x/..%2fadmin /x/%2e%2e%2fadmin /x/..%252fadmin /x%2f../admin /x/..%5cadmin /..\admin /\admin \admin
  /%5cadmin /%5Cadmin/x /%255cadmin /x\..\admin /%c0%afadmin /x/%c0%ae%c0%ae/admin /%c1%a1dmin/x
  /%e0%80%afadmin /%e0%81%a1dmin /%f0%80%81%a1dmin /admin%00 /admin%00.png /admin%2500/x /admin%0a
  /admin%09/x /adm%09in/x /adm%0ain /admin%20/x /admin%3fx /admin%23x /admin%253fx /admin./x /admin.../x
  /admin%2e/x /admin%20 /%20/admin /%u0061dmin/x /%uff41dmin/x /%ef%bd%81dmin/x /%25%36%31dmin
  /%%36%31dmin /%6%31dmin /% /%g0 http://a/admin/x http://evil/admin/x HTTP://a/admin http:/admin
  //a/admin/x ///admin /.//admin admin/x /x/../admin /x/../../admin/x /../admin /./.././admin/x
  /.../admin /x/./../admin /?/../admin * /x#/../admin /#/admin /admin# /x?/../admin/y /a/b/../../admin
  /a//../admin /a/b//..//../admin /ADMIN%2500/x /%41DMIN;x/%252e /x/%2e%2e;/ADMIN /ſ/admin /admın
  /ADM%C4%B0N/x /%EF%BC%8Fadmin /ADMIN/%252e%252e/x /%E0%80%AFADMIN%C0%AF%252e%252e/;x/x /%E0%80%AFx;y%C0%AF...%C0%AFADMIN%252f..%252f%252561dm%252569%25256e /ADMIN/%EF%BC%8F../x /%2541DMIN/%252e%252e/x
`
  .trim()
  .split(/\s+/)

let target: TestTarget
let port = 0
let asked = 0
const ends_: (() => unknown)[] = []

before(async () => {
  target = await startTarget({ after: (run: () => unknown) => void ends_.push(run) } as never)
  const gateway = await startGateway({
    upstreams: { main: { targets: [{ origin: target.origin }], failover: { hedge: false } } },
    routes: [
      { path: '/admin/*', upstream: 'main', authorization: { when: 'request.headers["x-key"] == "k"' } },
      { path: '/*', upstream: 'main' },
    ],
  } as object)
  port = gateway.port
  ends_.push(() => {
    gateway.app.server.closeAllConnections()
    void gateway.app.close()
  })
})
after(() => Promise.all(ends_.map((end) => end())))

/** Sends a request target as it is. Fails if it gets around the guard; returns the status and what the upstream saw. */
async function attack(path: string, headers = ''): Promise<{ status: number; seen: string | undefined }> {
  const id = String(++asked)
  const text = await rawRequest(
    port,
    `GET ${path} HTTP/1.1\r\nhost: a\r\nx-id: ${id}\r\n${headers}connection: close\r\n\r\n`,
  )
  const status = Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1])
  const seen = target.seen.find((one) => one.headers['x-id'] === id)?.url
  if (seen === undefined)
    assert.ok([400, 401, 403, 404].includes(status), `${JSON.stringify(path)}: ${status}`)
  else
    assert.deepEqual(
      fooled(seen),
      [],
      `${JSON.stringify(path)} reached the upstream as ${JSON.stringify(seen)}`,
    )
  return { status, seen }
}

describe('around a guarded prefix', () => {
  it('there is no way by any of the tricks that are known', async () => {
    for (const path of KNOWN) await attack(Buffer.from(path).toString('latin1'))
  })

  it('there is no way by a header that another server would take the path from, nor by a second Host', async () => {
    for (const name of ['x-original-url', 'x-rewrite-url', 'x-forwarded-prefix', 'x-forwarded-uri'])
      assert.equal((await attack('/admin/x', `${name}: /open\r\n`)).status, 403, name)
    assert.equal((await attack('/open', 'host: b\r\n')).status, 400)
    for (const name of ['X-Original-URL', 'x-rewrite-url', 'X_Rewrite_Url', 'x.original.url']) {
      assert.equal((await attack('/open', `${name}: /admin/x\r\n`)).status, 200)
      assert.equal(target.seen.at(-1)?.headers[name.toLowerCase()], undefined, name)
    }
  })

  it('there is no way by any combination of them', async () => {
    const letter = (plain: string) => {
      const hex = plain.charCodeAt(0).toString(16)
      return fc.constantFrom(
        plain,
        plain,
        plain,
        plain.toUpperCase(),
        `%${hex}`,
        `%25${hex}`,
        `%2525${hex}`,
        `%u00${hex}`,
        `%c1%${(plain.charCodeAt(0) ^ 0xc0).toString(16)}`,
      )
    }
    const word = fc.tuple(...[...'admin'].map(letter)).map((letters) => letters.join(''))
    const slash = fc.constantFrom(
      '/',
      '/',
      '/',
      '//',
      '/./',
      '\\',
      '%2f',
      '%5c',
      '%252f',
      '%255c',
      '%c0%af',
      '%ef%bc%8f',
      '%e0%80%af',
      '/.;/',
      '/;x/',
    )
    const up = fc.constantFrom(
      '..',
      '..',
      '%2e%2e',
      '.%2e',
      '%252e%252e',
      '..;',
      '..;x',
      '%c0%ae%c0%ae',
      '..%00',
      '...',
      '. .',
    )
    const tail = fc.constantFrom(
      '',
      '',
      '/x',
      ';a',
      '%00',
      '%2500',
      '?',
      '%3f',
      '%23',
      '.',
      '%20',
      '%09',
      '%253b',
      '%3b',
      '::$DATA',
      '%3a:$x/y',
      '%20:a:%24b.',
      '/..;/x',
      '/../x',
    )
    const away = fc.array(
      fc
        .tuple(fc.constantFrom('x', 'x;y', 'ADMIN', 'admin', '%78'), slash, up, slash)
        .map((parts) => parts.join('')),
      { maxLength: 2 },
    )
    const path = fc
      .tuple(slash, away, word, tail)
      .map(
        ([start, before, name, end]) =>
          `${start.startsWith('/') ? '' : '/'}${start}${before.join('')}${name}${end}`,
      )
    await fc.assert(
      fc.asyncProperty(fc.array(path, { minLength: 20, maxLength: 20 }), async (paths) => {
        await Promise.all(paths.map((one) => attack(one)))
      }),
      // A failure is a way around the guard: that is told at once, the shortest one can be found by hand.
      { numRuns: 30, endOnFailure: true },
    )
  })

  it('but those who may pass do, and so do honest paths', async () => {
    assert.equal(
      (
        await rawRequest(port, 'GET /admin/x HTTP/1.1\r\nhost: a\r\nx-key: k\r\nconnection: close\r\n\r\n')
      ).slice(9, 12),
      '200',
    )
    const HONEST = [
      '/',
      '/users/AbC-123',
      '/files/R%C3%A9sum%C3%A9%20(Final).PDF',
      '/%D0%9F%D1%80%D0%B8%D0%B2%D0%B5%D1%82/%D0%9C%D0%B8%D1%80;v=1.0',
      '/a/b;c=d;e=F/g.',
      '/o/https%253A%252F%252Fa.example%252Fx',
      '/files/My%20Report%20(1).pdf',
      '/a;v=1/b',
      '/%E2%82%AC/price',
      '/100%25',
      '/administrators',
      '/x/admin',
      '/search?q=/admin/../%00',
      '/q%3Fa',
      '/.well-known/x',
      '/a.b.',
      '/a%2Bb%3D',
    ]
    for (const path of HONEST) assert.equal((await attack(path)).status, 200, path)
  })
})

describe('readings', () => {
  const of = readingsOf

  it('of a plain path are none, and of a convoluted one too many', () => {
    for (const path of ['/', '/users/42', '/a.b/c-d_e~f', '/a:b@c,d']) assert.deepEqual(of(path), [])
    assert.equal(
      of(`/${'%2525252525252525252525252525252525252525252525252525252525252525'.repeat(3)};A./%3B`),
      undefined,
    )
  })

  it('are themselves paths that a request may have', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'/aA.;%2504fceE'), maxLength: 24 }), (text) => {
        for (const reading of of(`/${text}`) ?? []) assert.match(reading, /^\/[!-~]*$/)
      }),
      { numRuns: 1000 },
    )
  })
})

describe('routes', () => {
  // A closing gateway lingers: they do so together.
  const closing: Promise<unknown>[] = []
  after(() => Promise.all(closing))
  const statusesOf = async (
    routes: readonly object[],
    asked: readonly (string | object)[],
    more: object = {},
  ): Promise<number[]> => {
    const app = await buildGateway({
      upstreams: { main: { targets: [{ origin: target.origin }] } },
      routes: routes.map((route) => ({ upstream: 'main', ...route })),
      ...more,
    })
    const answers = await Promise.all(asked.map((one) => app.inject(one as string)))
    closing.push(app.close())
    return answers.map(({ statusCode }) => statusCode)
  }
  const statusOf = async (routes: readonly object[], url: string, more: object = {}) =>
    (await statusesOf(routes, [url], more))[0]
  const guarded = { path: '/admin/*', authorization: { when: 'false' } }

  it('with capitals of their own are served, and guarded in any case', async () => {
    const routes = [
      { path: '/Public/*' },
      { path: '/Secret', authorization: { when: 'false' } },
      { path: '/*' },
    ]
    assert.equal(await statusOf(routes, '/Public/x'), 200)
    assert.equal(await statusOf(routes, '/Secret'), 403)
    assert.equal(await statusOf(routes, '/SECRET'), 400)
    const [open, , rest] = routes
    assert.equal(
      await statusOf([open as object, { ...rest, authorization: { when: 'false' } }], '/Public/x'),
      200,
    )
    assert.equal(
      await statusOf([{ path: /\/Files\/.*/ }, { path: '/*', authorization: { when: 'false' } }], '/Files/x'),
      200,
    )
  })

  it('that guard a path with capitals guard it in small letters too', async () => {
    const closed = { authorization: { when: 'false' } }
    const routes = [
      { path: '/adminPanel/*', ...closed },
      { path: '/users/:userId/Secret', ...closed },
      { path: /\/Internal(?:\/.*)?/, ...closed },
      { path: '/%C3%89tat', ...closed },
      { path: '/Api/*' },
      { path: '/api/Admin', ...closed },
      { path: '/*' },
    ]
    const asked = [
      '/adminpanel/x',
      '/ADMINPANEL/x',
      '/adminpanel',
      '/a%64minpanel/',
      '/users/Me/secret',
      '/internal/x',
      '/INTERNAL',
      '/%C3%A9tat',
      '/%C3%A9TAT',
      '/Api/admin',
      '/aPI/aDMIN',
    ]
    assert.deepEqual(
      await statusesOf(routes, asked),
      asked.map(() => 400),
    )
    assert.deepEqual(
      await statusesOf(routes, ['/adminPanel/x', '/users/Me/Secret', '/Internal/x', '/api/Admin']),
      [403, 403, 403, 403],
    )
    const honest = ['/Api/Users', '/adminpanels', '/users/Me/Secrets', '/README.md', '/%C3%89t%C3%A9']
    assert.deepEqual(
      await statusesOf(routes, honest),
      honest.map(() => 200),
    )
  })

  it('that differ by capitals only, of which one is guarded, are one to many servers', async () => {
    const routes = [
      { path: '/Tools/*' },
      { path: '/tools/*', authorization: { when: 'false' } },
      { path: '/*' },
    ]
    for (const order of [routes, routes.toReversed()])
      assert.deepEqual(await statusesOf(order, ['/Tools/x', '/TOOLS/x', '/tools/x']), [400, 400, 403])
    const lines: string[] = []
    const app = await buildGateway(
      {
        upstreams: { main: { targets: [{ origin: target.origin }] } },
        routes: routes.map((route) => ({ upstream: 'main', ...route })),
      },
      { log: (line) => lines.push(line) },
    )
    await app.ready()
    closing.push(app.close())
    const told = lines.filter((line) => line.includes('all requests of a route are refused'))
    assert.equal(told.length, 1)
    assert.match(String(told[0]), /"route":"\/Tools\/\*","other":"\/tools\/\*"/)
  })

  it('are guarded in any case though an open one is a regular expression', async () => {
    const routes = [guarded, { path: /\/(?!admin).*/ }]
    const asked = ['/admin/x', '/ADMIN/x', '/Admin', '/%41dmin/x', '/Files/x', '/files/X']
    assert.deepEqual(await statusesOf(routes, asked), [403, 400, 400, 400, 200, 200])
    const text = [guarded, { path: '~/(?!admin).*' }]
    assert.deepEqual(await statusesOf(text, ['/ADMIN/x', '/Files/x']), [400, 200])
  })

  it('are not got around by a parameter that comes twice, though they are found by it', async () => {
    const routes = [{ ...guarded, query: { v: '2' } }, { path: '/*' }]
    const asked = ['/admin/x?v=1', '/ADMIN/x?v=1', '/ADMIN/x?v=2', '/ADMIN/x?v=1&v=2', '/admin;a/x?v=1&v=2']
    assert.deepEqual(await statusesOf(routes, asked), [200, 200, 400, 400, 400])
  })

  it('are not got around by a stream of NTFS', async () => {
    const asked = [
      '/admin::$DATA/x',
      '/admin::$INDEX_ALLOCATION/x',
      '/admin:$i30:$INDEX_ALLOCATION/x',
      '/admin%3A%3A%24INDEX_ALLOCATION/x',
      '/ADMIN::$index_allocation/x',
      '/v1/admin:batch',
      '/admin:$x',
    ]
    assert.deepEqual(await statusesOf([guarded, { path: '/*' }], asked), [400, 400, 400, 400, 400, 200, 200])
  })

  it('of another host have nothing to do with it', async () => {
    const routes = [{ ...guarded, host: 'admin.example.com' }, { path: '/*' }]
    assert.equal(await statusOf(routes, '/ADMIN/x'), 200)
  })

  it('are read to the letter where the config says so, or where nothing is guarded', async () => {
    assert.equal(await statusOf([guarded, { path: '/*' }], '/ADMIN/x'), 400)
    assert.equal(await statusOf([guarded, { path: '/*' }], '/ADMIN/x', { pathLookalikes: 'pass' }), 200)
    assert.equal(await statusOf([{ path: '/admin/*' }, { path: '/*' }], '/ADMIN/x'), 200)
    const addresses = { path: '/admin/*', addresses: { deny: ['127.0.0.1'] } }
    assert.equal(await statusOf([addresses, { path: '/*' }], '/ADMIN/x'), 400)
  })

  const post = (url: string, headers: object = {}): object => ({ method: 'POST', url, headers })

  it('a slash at the end, or none, is no way around a guard: most frameworks take both for one path', async () => {
    const closed = ['/reports', '/users/:id', '/own/'].map((path) => ({
      path,
      authorization: { when: 'false' },
    }))
    const asked = ['/reports/', '/reports//', '/users/1/', '/own', '/elsewhere/']
    assert.deepEqual(await statusesOf([...closed, { path: '/*' }], asked), [400, 400, 400, 400, 200])
  })

  it('nor where a regular expression wants the slash', async () => {
    const closed = { path: /\/own\//, authorization: { when: 'false' } }
    assert.deepEqual(await statusesOf([closed, { path: '/*' }], ['/own/', '/own', '/owner']), [403, 400, 200])
  })

  it('that demand different things in words that JSON does not have are not taken for the same', () => {
    for (const [a, b] of [
      [/a/, /b/],
      [() => 1, () => 2],
      [1n, 2n],
    ]) {
      const guardedBy = (kind: unknown) => ({
        config: { path: '/x', upstream: 'main', authorization: { custom: { kind } } },
      })
      const [one, other] = [guardedBy(a), guardedBy(b)]
      assert.equal(new Lookalikes([one, other]).concerns(one), true, String(a))
      assert.equal(new Lookalikes([one, guardedBy(a)]).concerns(one), false, String(a))
    }
  })

  it('a limit of one route is not got around by a path that looks like its own', async () => {
    const routes = [{ path: '/login', rateLimit: { max: 1, per: '1h' } }, { path: '/*' }]
    const asked = ['/login/', '/LOGIN', '/%256cogin', '/login;a', '/login']
    assert.deepEqual(await statusesOf(routes, asked), [400, 400, 400, 400, 200])
  })

  it('what nobody sees, and letters that are one to some, are no way around a guard', async () => {
    const asked = ['/admin%e2%80%8b/x', '/%ef%bb%bfadmin/x', '/admin%ff/x', '/ADM%C4%B0N/x', '/adm%C4%B1n/x']
    assert.deepEqual(
      await statusesOf([guarded, { path: '/*' }], asked),
      asked.map(() => 400),
    )
  })

  it('a POST that says it is a DELETE does not get to the upstream by the route of POST', async () => {
    const routes = [{ path: '/items', methods: ['DELETE'], authorization: { when: 'false' } }, { path: '/*' }]
    const asked = [
      post('/items', { 'x-http-method-override': 'delete' }),
      post('/items', { x_method_override: 'DELETE' }),
      post('/items?a=1&_method=DELETE'),
      post('/items?.method=DELETE'),
      post('/items/', { 'x-http-method': 'DELETE' }),
      post('/items', { 'x-http-method-override': 'PATCH' }),
      post('/items'),
    ]
    assert.deepEqual(await statusesOf(routes, asked), [400, 400, 400, 400, 400, 200, 200])
  })

  it('nor past an expression about the method', async () => {
    const when = "request.method == 'POST' || request.method == 'PATCH'"
    const asked = [
      post('/items'),
      post('/items', { 'x-http-method-override': 'PATCH' }),
      post('/items', { 'x-http-method-override': 'DELETE' }),
      post('/items?_method=delete'),
    ]
    assert.deepEqual(
      await statusesOf([{ path: '/items', authorization: { when } }], asked),
      [200, 200, 403, 403],
    )
  })

  it('that guard some methods of a path are told of where the rest is open', async () => {
    const lines: string[] = []
    const app = await buildGateway(
      {
        upstreams: { main: { targets: [{ origin: target.origin }] } },
        routes: [
          { path: '/a/:id', methods: ['GET', 'POST'], upstream: 'main', authorization: { when: 'false' } },
          {
            path: '/b/*',
            headers: { 'x-v': '2' },
            host: '*.example.com',
            upstream: 'main',
            authorization: { when: 'false' },
          },
          // Neither of these is worth a word.
          { path: '/c', methods: ['GET'], upstream: 'main' },
          { path: '/c', methods: ['POST'], upstream: 'main', authorization: { when: 'false' } },
          { path: '/d/*', upstream: 'main', authorization: { when: 'false' } },
          { path: '/e', methods: ['POST'], upstream: 'main', rateLimit: { max: 1, per: '1h' } },
          { path: '/:one', upstream: 'main' },
          { path: '/*', upstream: 'main' },
        ],
      },
      { log: (line) => lines.push(line) },
    )
    await app.ready()
    closing.push(app.close())
    const told = lines
      .map((line) => JSON.parse(line))
      .filter(({ msg }) => msg.startsWith('a guarded route does not take all'))
    assert.deepEqual(
      told.map(({ route, other, methods }) => [route, other, methods.join()]),
      [
        ['/a/:id', '/*', 'PUT,PATCH,DELETE'],
        ['*.example.com/b/*', '/*', 'GET,POST,PUT,PATCH,DELETE'],
        ['/c', '/:one', 'PUT,PATCH,DELETE'],
      ],
    )
  })
})
