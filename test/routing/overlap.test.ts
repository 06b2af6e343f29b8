import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { findShadowed } from '../../plugins/routing/overlap.ts'
import type { RouteMatch } from '../../plugins/routing/route-match.ts'
import { createRouter } from '../../plugins/routing/router.ts'
import { request, route } from './support.ts'

const shadowed = (routes: readonly RouteMatch[]) => findShadowed(routes).map(({ index, by }) => [index, by])

test('the same path by another name, and methods covered by several', () => {
  assert.deepEqual(shadowed([{ path: '/a/:x' }, { path: '/a/:y' }]), [[1, [0]]])
  assert.deepEqual(shadowed([{ path: /\/a/ }, { path: /\/a/g }]), [[1, [0]]])
  assert.deepEqual(
    shadowed([
      { path: '/a', host: 'E.com' },
      { path: '/a', host: 'e.com.', methods: ['GET'] },
    ]),
    [[1, [0]]],
  )
  const split = [
    { path: '/a', methods: ['GET'] },
    { path: '/a', methods: ['POST'] },
    { path: '/a', methods: ['HEAD', 'post'] },
  ]
  assert.deepEqual(shadowed(split), [[2, [0, 1]]])
})

test('conditions that follow from those of the later route', () => {
  assert.deepEqual(
    shadowed([
      { path: '/a', headers: { X: true } },
      { path: '/a', headers: { x: '1' } },
    ]),
    [[1, [0]]],
  )
  assert.deepEqual(
    shadowed([
      { path: '/a', query: { x: /^1/ } },
      { path: '/a', query: { x: '12' } },
    ]),
    [[1, [0]]],
  )
})

test('no shadow where something is left over', () => {
  const pairs: [RouteMatch, RouteMatch][] = [
    [{ path: '/a' }, { path: '/a', headers: { x: '1' } }], // the second is tried first
    [
      { path: '/a', headers: { x: '1' } },
      { path: '/a', headers: { x: true } },
    ],
    [
      { path: '/a', headers: { x: true } },
      { path: '/a', query: { x: '1' } },
    ],
    [{ path: '/a', methods: ['GET'] }, { path: '/a' }],
    [{ path: '/a', host: 'e.com' }, { path: '/a' }],
    [
      { path: '/a', headers: { x: true } },
      { path: '/a', headers: { x: false } },
    ],
    [{ path: '/a/*' }, { path: '/a/:x' }],
    [{ path: /\/a/ }, { path: /\/a/i }],
  ]
  for (const pair of pairs) assert.deepEqual(shadowed(pair), [], JSON.stringify(pair))
})

test('a route of several hosts is never reached only if it is under none of them', () => {
  const two = { path: '/a', host: ['b.com', 'c.com'] }
  assert.deepEqual(shadowed([{ path: '/a', host: 'b.com' }, two]), [])
  assert.deepEqual(shadowed([two, { path: '/a', host: 'C.com' }]), [[1, [0]]])
  assert.deepEqual(shadowed([{ path: '/a', host: 'c.com' }, { path: '/a', host: ['b.com'] }, two]), [
    [2, [0, 1]],
  ])
})

test('the sentence says who takes it and what to do', () => {
  assert.equal(
    findShadowed([{ path: '/a' }, { path: '/a' }])[0]?.why,
    'routes[1] is never reached: routes[0] matches all that it matches and comes before it; ' +
      'remove it, move it up, or give it a condition of its own',
  )
})

test('no false alarm: what is reported is never reached by a request that it would match alone', () => {
  let tried = 0
  fc.assert(
    fc.property(
      fc.array(route, { minLength: 2, maxLength: 6 }),
      fc.array(request, { minLength: 30, maxLength: 30 }),
      fc.nat(),
      (some, requests, pick) => {
        // A near copy of one of them, so that shadows are frequent.
        const copied = some[pick % some.length] as RouteMatch
        const routes = [...some, { ...copied, ...(pick % 3 === 0 ? { headers: { x: '1' } } : {}) }]
        const router = createRouter(routes)
        for (const { index } of findShadowed(routes)) {
          const alone = createRouter([routes[index] as RouteMatch])
          for (const asked of requests.map((one) => built(routes[index] as RouteMatch, one))) {
            if (alone.match(asked).kind !== 'route') continue
            tried++
            const result = router.match(asked)
            assert.ok(result.kind === 'ambiguous' || (result.kind === 'route' && result.index !== index))
          }
        }
      },
    ),
    { seed: 5_511, numRuns: 3000 },
  )
  assert.ok(tried > 5000, `only ${tried} requests met a reported route`)
})

/** The request bent towards the route, so that it matches more often than by chance. */
function built(route: RouteMatch, asked: typeof request extends fc.Arbitrary<infer Facts> ? Facts : never) {
  const path = typeof route.path === 'string' ? route.path.replace(/:\w+/g, 'z').replace('*', '') : asked.path
  return { ...asked, path, host: String(route.host ?? asked.host).replace('*', 'w') }
}
