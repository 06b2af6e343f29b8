/** Every mistake that a config can hold, as the user is told of it. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { refusal } from './support.ts'

const users = { targets: [{ origin: 'http://10.0.0.1:8080' }] }
const upstream = (more: object) => ({ upstreams: { users: { ...users, ...more } }, routes: [] })
const route = (...routes: object[]) => ({ upstreams: { users, orders: users }, routes })
const to = (more: object) => ({ path: '/x', upstream: 'users', ...more })
const target = (...targets: object[]) => upstream({ targets })

describe('a config is refused for', () => {
  const CASES: [name: string, config: object, ...lines: string[]][] = [
    ['an unknown key', { ...route(), upstrems: {} }, 'upstrems: unknown key; did you mean "upstreams"?'],
    [
      'an unknown key in an upstream',
      upstream({ limts: {} }),
      'upstreams.users.limts: unknown key; did you mean "limits"?',
    ],
    [
      'an unknown key in a target',
      target({ origin: 'http://a', wieght: 1 }),
      'upstreams.users.targets[0].wieght: unknown key; did you mean "weight"?',
    ],
    [
      'an unknown key in a route',
      route(to({ mehtods: ['GET'] })),
      'routes[0].mehtods: unknown key; did you mean "methods"?',
    ],
    ['no upstreams', { routes: [] }, 'upstreams: is required'],
    [
      'an unknown upstream in a split',
      route({ path: '/x', split: { user: 1, orders: 1 } }),
      'routes[0].split: no upstream is named "user"; did you mean "users"?',
    ],
    [
      'an unknown upstream in a mirror',
      route(to({ mirror: 'order' })),
      'routes[0].mirror.upstream: no upstream is named "order"; did you mean "orders"?',
    ],
    [
      'options that a balancer does not take',
      upstream({ loadBalancing: { policy: 'random', bias: 1 } }),
      'upstreams.users.loadBalancing: takes no options, but "bias" is set; take it out',
    ],
    [
      'a balancer without a name',
      upstream({ loadBalancing: {} }),
      'upstreams.users.loadBalancing: names no policy; write "round-robin" or { policy: "round-robin" }',
    ],
    [
      'a duplicate target',
      target({ origin: 'http://a:80' }, { origin: 'HTTP://A' }),
      'upstreams.users.targets[1].origin: "HTTP://A" is upstreams.users.targets[0] already; give it a larger weight instead of a second entry',
    ],
    [
      'an origin with a path',
      target({ origin: 'http://a/v1' }),
      'upstreams.users.targets[0].origin: "http://a/v1" has a path; write "http://a" and put the path into the route\'s `rewrite`',
    ],
    [
      'an origin with credentials',
      target({ origin: 'http://u:hunter2@a' }),
      'upstreams.users.targets[0].origin: holds credentials; take them out, and set a header from the environment on the route instead',
    ],
    [
      'an origin of an unknown scheme',
      target({ origin: 'ftp://a' }),
      'upstreams.users.targets[0].origin: "ftp://a" has a scheme that is not spoken; use http:, https: or unix:',
    ],
    [
      'weights that sum to 0',
      target({ origin: 'http://a', weight: 0 }),
      'upstreams.users.targets: all weights are 0, so no target could be picked; give one a weight above 0',
    ],
    [
      'a negative weight',
      target({ origin: 'http://a', weight: -1 }),
      'upstreams.users.targets[0].weight: must be at least 0, is -1',
    ],
    [
      'a tier that is missing',
      target({ origin: 'http://a' }, { origin: 'http://b', tier: 2 }),
      'upstreams.users.targets: tier 2 is used but tier 1 is empty; count tiers up from 0',
    ],
    [
      'a route without an end',
      route({ path: '/x' }),
      'routes[0]: goes nowhere; give it an `upstream`, a `split`, a `redirect`, a `respond` or an `endpoint`',
    ],
    [
      'a route with two ends',
      route(to({ redirect: '/y' })),
      'routes[0]: has `upstream` and `redirect`, of which it can have one',
    ],
    [
      'a route that is never reached',
      route(to({}), to({ methods: ['GET'] })),
      'routes[1]: is never reached: routes[0] matches all that it matches and comes before it; remove it, move it up, or give it a condition of its own',
    ],
    [
      'a split of nothing',
      route({ path: '/x', split: { users: 0 } }),
      'routes[0].split: all shares are 0, so no upstream could be chosen',
    ],
    [
      'a setting without a use',
      route({ path: '/x', respond: {}, timeout: '1s' }),
      'routes[0].timeout: does nothing, since the route forwards nothing; take it out or give the route an `upstream`',
    ],
    [
      'small methods',
      route(to({ methods: ['get'] })),
      'routes[0].methods[0]: "get" is not of the right form; write methods in capitals: "GET"',
    ],
    ['no methods', route(to({ methods: [] })), 'routes[0].methods: needs at least one method'],
  ]
  for (const [name, config, ...lines] of CASES) {
    it(name, async () => {
      const { problems } = await refusal(config)
      assert.deepEqual(
        problems.map(({ path, message }) => `${path}: ${message}`),
        lines,
      )
    })
  }

  it('a regex that cannot be compiled', async () => {
    const { message } = await refusal(route({ path: '~/x/(', upstream: 'users' }))
    assert.match(message, /routes\[0\]\.path: the regex .* cannot be compiled/)
  })

  it('a regex that backtracks catastrophically, in a header as in a path', async () => {
    const { problems } = await refusal(
      route({ path: /\/(a+)+b/, upstream: 'users' }, to({ headers: { 'x-a': /^(a+)+$/ } })),
    )
    assert.deepEqual(
      problems.map(({ path }) => path),
      ['routes[0].path', 'routes[1].headers["x-a"]'],
    )
    for (const { message } of problems) assert.match(message, /backtracks catastrophically/)
  })

  it('and none of them shows a password', async () => {
    const twice = target({ origin: 'http://u:hunter2@a' }, { origin: 'http://u:hunter2@a' })
    assert.doesNotMatch((await refusal(twice)).message, /hunter2/)
  })
})
