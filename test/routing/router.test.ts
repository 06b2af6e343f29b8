import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { RequestFacts, RouteMatch } from '../../plugins/routing/route-match.ts'
import { createRouter } from '../../plugins/routing/router.ts'
import { oracle } from './oracle.ts'
import { request, route } from './support.ts'

const facts = (path: string, more: Partial<RequestFacts> = {}): RequestFacts => ({
  host: 'example.com',
  method: 'GET',
  path,
  query: '',
  headers: {},
  ...more,
})
const found = (routes: readonly RouteMatch[], asked: RequestFacts) => {
  const result = createRouter(routes).match(asked)
  return result.kind === 'route' ? result.index : result.kind
}

test('it agrees with brute force and the documented precedence', () => {
  const kinds = new Map<string, number>()
  fc.assert(
    fc.property(
      fc.array(route, { minLength: 1, maxLength: 12 }),
      fc.array(request, { minLength: 8, maxLength: 8 }),
      (routes, requests) => {
        const router = createRouter(routes)
        for (const asked of requests) {
          const result = router.match(asked)
          const route = result.kind === 'route' ? routes[result.index] : undefined
          const kind =
            route && (route.headers ?? route.query ?? route.cookies) ? 'conditional route' : result.kind
          kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
          assert.deepEqual(result, oracle(routes, asked))
        }
      },
    ),
    { seed: 7_301, numRuns: 5000 },
  )
  // A property that never meets a case proves nothing about it.
  for (const kind of ['route', 'conditional route', 'method', 'none'])
    assert.ok((kinds.get(kind) ?? 0) > 1000, kind)
})

test('a route of several hosts is as many routes, one for each', () => {
  const hosts = fc.uniqueArray(fc.constantFrom('e.com', 'a.e.com', '*.e.com', '*.a.e.com', '*'), {
    minLength: 1,
    maxLength: 3,
  })
  let reached = 0
  fc.assert(
    fc.property(
      fc.array(fc.tuple(route, hosts), { minLength: 1, maxLength: 8 }),
      fc.array(request, { minLength: 8, maxLength: 8 }),
      (pairs, requests) => {
        const router = createRouter(pairs.map(([one, host]) => ({ ...one, host })))
        const apart = pairs.flatMap(([one, all], owner) => all.map((host) => ({ ...one, host, owner })))
        const others = createRouter(apart)
        for (const asked of requests) {
          const expected = others.match(asked)
          if (expected.kind === 'route') reached++
          assert.deepEqual(
            router.match(asked),
            expected.kind === 'route' ? { ...expected, index: apart[expected.index]?.owner } : expected,
          )
        }
      },
    ),
    { seed: 4_211, numRuns: 2000 },
  )
  assert.ok(reached > 1000)
})

test('/users/* matches /users, /users/ and all below, and nothing beside', () => {
  const router = createRouter([{ path: '/users/*' }])
  for (const [path, rest] of [
    ['/users', ''],
    ['/users/', ''],
    ['/users/7', '7'],
    ['/users/7/a%20b/', '7/a%20b/'],
  ] as const) {
    assert.deepEqual(router.match(facts(path)), { kind: 'route', index: 0, params: { '*': rest } })
  }
  assert.equal(router.match(facts('/usersx')).kind, 'none')
})

test('a parameter is a whole segment, not empty, and stays encoded', () => {
  const router = createRouter([{ path: '/users/:id/orders/:order' }])
  assert.deepEqual(router.match(facts('/users/a%2Fb/orders/1')), {
    kind: 'route',
    index: 0,
    params: { id: 'a%2Fb', order: '1' },
  })
  assert.equal(router.match(facts('/users//orders/1')).kind, 'none')
  assert.equal(router.match(facts('/users/1/orders/')).kind, 'none')
})

test('a branch of the trie that fails further down is left again', () => {
  const routes = [{ path: '/a/b/c/d' }, { path: '/a/:x/c/:y/e' }, { path: '/:w/b/*' }, { path: '/*' }]
  assert.equal(found(routes, facts('/a/b/c/z/e')), 1)
  assert.equal(found(routes, facts('/a/b/c/z/f')), 2)
  assert.equal(found(routes, facts('/a/z/c/z/f')), 3)
})

test('hosts: exact, longest wildcard, any; a host that does not match the path falls through', () => {
  const routes = [
    { path: '/x' },
    { host: '*.com', path: '/x' },
    { host: '*.example.com', path: '/x' },
    { host: 'API.example.com.', path: '/x' },
    { path: '/y' },
    { host: '[::1]', path: '/x' },
  ]
  const at = (host: string, path = '/x') => found(routes, facts(path, { host }))
  assert.equal(at('api.example.com'), 3)
  assert.equal(at('Api.Example.com.:8080'), 3)
  assert.equal(at('a.b.example.com'), 2)
  assert.equal(at('example.com'), 1)
  assert.equal(at('com'), 0)
  assert.equal(at('api.example.com', '/y'), 4)
  assert.equal(at('[::1]:80'), 5)
  assert.equal(at('[::1]'), 5)
  assert.equal(at(`${'a.'.repeat(8000)}com`), 0)
})

test('conditions: query and cookies are read as users write them', () => {
  const routes = [
    { path: '/', query: { 'a b': 'c d' } },
    { path: '/', cookies: { s: 'quoted' } },
    { path: '/', headers: { 'X-V': /^2/g } },
    { path: '/', headers: { constructor: true } as RouteMatch['headers'] & object },
  ]
  assert.equal(found(routes, facts('/', { query: '?x&a+b=c%20d&a+b=c+d' })), 0)
  assert.equal(found(routes, facts('/', { query: '?a+b=other&a+b=more' })), 'none')
  assert.equal(found(routes, facts('/', { query: '?%=1' })), 'none')
  assert.equal(found(routes, facts('/', { headers: { cookie: 'ss=1; s="quoted"; s=quoted' } })), 1)
  const router = createRouter(routes)
  for (let i = 0; i < 3; i++)
    assert.equal(router.match(facts('/', { headers: { 'x-v': '2.1' } })).kind, 'route')
})

test('a condition does not hold by the first of several values and is not walked around by the last', () => {
  const guarded = { path: '/a', query: { do: 'delete' }, headers: { x: /^1$/ }, cookies: { role: 'admin' } }
  const routes: RouteMatch[] = [
    { path: '/a', query: guarded.query, methods: ['GET'] },
    { path: '/a', headers: guarded.headers },
    { path: '/a', cookies: guarded.cookies },
    { path: '/a', headers: { accept: /json/ } },
    { path: '/*' },
  ]
  const at = (more: Partial<RequestFacts>) => found(routes, facts('/a', more))
  const joined = (name: string, ...values: string[]) =>
    at({
      headers: { [name]: values.join(', ') },
      rawHeaders: values.flatMap((value) => [name.toUpperCase(), value]),
    })
  for (const query of ['?do=read&do=delete', '?do=delete&do=read', '?do=delete&do', '?%64o=read&do=delete'])
    assert.equal(at({ query }), 'ambiguous', query)
  assert.equal(at({ query: '?do=read&do=write' }), 4)
  assert.equal(at({ query: '?do=delete&do=delete' }), 0)
  // Where the method is another one, nothing hangs on it.
  assert.equal(at({ query: '?do=read&do=delete', method: 'POST' }), 4)
  assert.equal(at({ headers: { cookie: 'role=user; role=admin' } }), 'ambiguous')
  assert.equal(joined('x', '2', '1'), 'ambiguous')
  assert.equal(joined('x', '2', '3'), 4)
  assert.equal(joined('x', '1'), 1)
  assert.equal(joined('accept', 'text/html', 'application/json'), 3, 'a list is one value in several lines')
  assert.equal(at({ headers: { x: '1' }, query: '?do=read' }), 1)
  // CGI and its like make one variable of both.
  const spelt: RouteMatch[] = [{ path: '/a', headers: { 'x-do': 'delete' } }, { path: '/*' }]
  const written = (headers: Record<string, string>) => found(spelt, facts('/a', { headers }))
  assert.equal(written({ x_do: 'delete' }), 'ambiguous')
  assert.equal(written({ 'x-do': 'read', 'x.do': 'delete' }), 'ambiguous')
  assert.equal(written({ 'x-do': 'delete', x_do: 'read' }), 'ambiguous')
  assert.equal(written({ 'x-do': 'delete', x_do: 'delete' }), 0)
  assert.equal(written({ x_do: 'read', x_done: 'delete' }), 1)
})

test('only the method was wrong: the union of what would be served, over hosts and paths', () => {
  const routes = [
    { path: '/a', methods: ['get'] },
    { path: '/*', methods: ['POST'] },
    { path: '/a', methods: ['PUT'], headers: { x: true } },
  ]
  const router = createRouter(routes)
  assert.deepEqual(router.match(facts('/a', { method: 'DELETE' })), {
    kind: 'method',
    allow: ['GET', 'HEAD', 'POST'],
  })
  assert.deepEqual(router.match(facts('/b', { method: 'OPTIONS' })), { kind: 'method', allow: ['POST'] })
  assert.equal(router.match(facts('/a', { method: 'HEAD' })).kind, 'route')
  assert.equal(router.match(facts('*', { method: 'OPTIONS' })).kind, 'none')
})

test('a request without parameters costs no object', () => {
  const router = createRouter([{ path: '/a' }])
  assert.equal(router.match(facts('/a')), router.match(facts('/a')))
})

test('all faulty routes are told at once, with their remedies', () => {
  const faulty: [RouteMatch, RegExp][] = [
    [{ path: 'users' }, /did you mean "\/users"/],
    [{ path: '/a/*/b' }, /use a RegExp/],
    [{ path: '/a/:id.json' }, /fills its whole segment/],
    [{ path: '/:a/:a' }, /twice/],
    [{ path: '/:__proto__' }, /another name/],
    [{ path: '/a?b=1' }, /"query"/],
    [{ path: '/é' }, /write "\/%C3%A9"/],
    [{ path: '/a//b' }, /write "\/a\/b"/],
    [{ path: '/a', methods: [] }, /leave it out/],
    [{ path: '/a', host: 'a.com:80' }, /write "a.com"/],
    [{ path: '/a', host: 'a.*.com' }, /wildcard/],
    [{ path: '/a', headers: { A: '1', a: '2' } }, /twice/],
  ]
  assert.throws(
    () => createRouter(faulty.map(([route]) => route)),
    ({ message }: Error) => {
      const lines = message.split('\n')
      assert.equal(lines.length, faulty.length)
      faulty.forEach(([, remedy], index) => {
        assert.match(lines[index] as string, remedy)
        assert.ok(lines[index]?.startsWith(`routes[${index}]: `))
      })
      return true
    },
  )
})

test('the steps of a look-up do not grow with the number of routes', () => {
  // Counted, not timed: how often the request's path is read.
  const reads = (count: number) => {
    const routes = Array.from({ length: count }, (_, i) => [
      { path: `/s${i}/:id` },
      { path: `/e${i}` },
      { path: `/h`, host: `h${i}.com` },
    ]).flat()
    let reads = 0
    const asked = {
      ...facts(''),
      get path() {
        reads++
        return `/s${count - 1}/7`
      },
    }
    assert.equal(createRouter(routes).match(asked).kind, 'route')
    return reads
  }
  assert.equal(reads(10), reads(5000))
})
