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
    [
      'a method that nobody reads',
      route(to({ methods: ['GTE', 'CONNECT', 5] })),
      'routes[0].methods[0]: "GTE" is no method that Node reads; did you mean "GET"?',
      'routes[0].methods[1]: CONNECT is for proxies that clients choose, and never gets here; take it out',
      'routes[0].methods[2]: must be text, is 5',
    ],
    [
      'a path and a condition that are none, each told once',
      route({ path: 5n, upstream: 'users', headers: { 'x-b': 5 } }),
      'routes[0].headers["x-b"]: must be text (the exact value), a regular expression, true (present) or false (absent)',
      'routes[0].path: must be a path like "/users/*" or a regular expression, is 5n',
    ],
    [
      'a faulty path, once, whatever makes use of it',
      route(to({ path: '/a/:id.json', rewrite: '/b/:id' })),
      'routes[0].path: the path "/a/:id.json": ":id.json" is no parameter; one is ":name" and fills its whole segment',
    ],
    [
      'parameters of other gateways',
      route(to({ path: '/a/{id}' }), to({ path: '/b/<int:id>' }), to({ path: '/c/[id]/d' })),
      'routes[0].path: the path "/a/{id}": "{id}" would be taken to the letter; write ":id"',
      'routes[1].path: the path "/b/<int:id>": "<int:id>" would be taken to the letter; write ":id"',
      'routes[2].path: the path "/c/[id]/d": "[id]" would be taken to the letter; write ":id"',
    ],
    [
      'a path that is refused before it is matched',
      route(to({ path: '/a%2Fb' })),
      'routes[0].path: would never match, since requests with %2F or %5C are refused; set `server.encodedSlash`',
    ],
    [
      'a rewrite, a redirect and a host that cannot be',
      route(
        to({ rewrite: 'v2' }),
        { path: '/y', redirect: 'ftp://a' },
        to({ path: '/z', host: 'a:80' }),
        to({ path: '/u', host: 'http://x.com/' }),
        to({ path: '/v', host: ['a.com', 'A.com'] }),
        to({ path: '/w', host: [] }),
      ),
      'routes[0].rewrite: rewrite "v2" must start with "/"; did you mean "/v2"?',
      'routes[1].redirect.to: "ftp://a" must be "http(s)://host/..." or start with one "/", before any placeholder',
      'routes[2].host: the host "a:80" has a port, and hosts are matched without it; write "a"',
      'routes[3].host: the host "http://x.com/" has a scheme, and hosts are matched whatever it is; write "x.com"',
      'routes[4].host: the host "a.com" is named twice; leave one',
      'routes[5].host: needs at least one host',
    ],
    [
      'headers that HTTP does not know, all of them, wherever they are written',
      route(
        to({
          requestHeaders: { set: { 'a b': '1', TE: 'x' }, add: { host: 'b' }, remove: ['te', 'x', 'X'] },
          responseHeaders: { add: { 'x-a': 'a\r\nb: c', 'x-b': '\u0142' }, set: { 'x-ip': '$remote_addr' } },
        }),
        {
          path: '/y',
          respond: { headers: { 'content-length': '5', 'x-c': '\n', 'x-d': '{{ host }}', 'x-e': 'a, $id' } },
        },
      ),
      'routes[0].requestHeaders.add.host: a request has exactly one host; use `set` to change it',
      'routes[0].requestHeaders.remove[0]: "te" belongs to the connection and is the gateway\'s; leave it out',
      'routes[0].requestHeaders.remove[2]: "X" is named twice, since headers do not care for case; leave one',
      'routes[0].requestHeaders.set.TE: "TE" belongs to the connection and is the gateway\'s; leave it out',
      'routes[0].requestHeaders.set["a b"]: "a b" is no header name',
      'routes[0].responseHeaders.add["x-a"]: holds a line break or a character outside latin1; take it out',
      'routes[0].responseHeaders.add["x-b"]: holds a line break or a character outside latin1; take it out',
      'routes[0].responseHeaders.set["x-ip"]: "$remote_addr" would be sent as it is, since there are no variables here; write the value, or set it in a plugin',
      'routes[1].respond.headers["content-length"]: "content-length" belongs to the connection and is the gateway\'s; leave it out',
      'routes[1].respond.headers["x-c"]: holds a line break or a character outside latin1; take it out',
      'routes[1].respond.headers["x-d"]: "{{ host }}" would be sent as it is, since there are no variables here; write the value, or set it in a plugin',
      'routes[1].respond.headers["x-e"]: "a, $id" would be sent as it is, since there are no variables here; write the value, or set it in a plugin',
    ],
    [
      'what is wrong with other routes too, at once',
      route(to({ methods: ['get'] }), to({ path: 'y' }), to({ path: '/z' }), to({ path: '/z' }), {
        path: '/w',
      }),
      'routes[0].methods[0]: "get" is not of the right form; write methods in capitals: "GET"',
      'routes[1].path: must be a path like "/users/*" or a regular expression, is "y"',
      'routes[3]: is never reached: routes[2] matches all that it matches and comes before it; remove it, move it up, or give it a condition of its own',
      'routes[4]: goes nowhere; give it an `upstream`, a `split`, a `redirect`, a `respond` or an `endpoint`',
    ],
    [
      'small methods in an authorization',
      route(to({ auth: 'jwt', authorization: { methods: { get: { roles: ['a'] } } } })),
      'routes[0].auth: accepts "jwt", which is not set up; add `auth.jwt` to the config',
      'routes[0].authorization.methods.get: is not a good name; write methods in capitals: "GET"',
    ],
    [
      'certificates that nobody can have',
      {
        ...route(),
        listeners: [{ port: 4444, tls: { cert: 'no.pem', key: 'no.key', clientAuth: 'require' } }],
      },
      'listeners[0].tls.cert: no file "no.pem"; give PEM text or the path of a PEM file',
      'listeners[0].tls.clientAuth: asks for certificates of nobody; give a `clientCa`, or take this out',
      'listeners[0].tls.key: no file "no.key"; give PEM text or the path of a PEM file',
    ],
    [
      'certificates of which half is missing',
      {
        ...route(),
        listeners: [{ port: 4444, tls: { cert: 'no.pem', more: [{ key: 'no.key' }, 'no.pem'] } }],
      },
      'listeners[0].tls.cert: no file "no.pem"; give PEM text or the path of a PEM file',
      'listeners[0].tls.key: is required',
      'listeners[0].tls.more[0].cert: is required',
      'listeners[0].tls.more[0].key: no file "no.key"; give PEM text or the path of a PEM file',
      'listeners[0].tls.more[1]: must be an object, is "no.pem"',
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

  // Guards and conditions that would be gone without a word.
  const unset = process.env['HOLDFAST_NO_SUCH_VARIABLE']
  const UNSET: [path: string, config: object][] = [
    ['addresses', { ...route(), addresses: unset }],
    ['addresses.allow', { ...route(), addresses: { allow: unset, deny: ['10.0.0.1'] } }],
    ['auth', { ...route(), auth: unset }],
    [
      'auth.jwt.issuers[0].secret',
      { ...route(), auth: { jwt: { issuers: [{ issuer: 'https://a', audience: 'b', secret: unset }] } } },
    ],
    ['consumers', { ...route(), consumers: unset }],
    ['identityHeaders.jwt', { ...route(), identityHeaders: { jwt: unset } }],
    ['listeners[0].tls', { ...route(), listeners: [{ port: 4444, tls: unset }] }],
    ['rateLimits.limits', { ...route(), rateLimits: { limits: unset } }],
    ['redis', { ...route(), redis: unset }],
    ['routes[0].host', route(to({ host: unset }))],
    ['routes[0].methods', route(to({ methods: unset }))],
    ['routes[0].headers', route(to({ headers: unset }))],
    ['routes[0].headers["x-key"]', route(to({ headers: { 'x-key': unset } }))],
    ['routes[0].query.key', route(to({ query: { key: unset } }))],
    ['routes[0].cookies.key', route(to({ cookies: { key: unset } }))],
    ['routes[0].cors', route(to({ cors: unset }))],
    ['routes[0].rateLimit[0].by', route(to({ rateLimit: { max: 1, per: '1s', by: unset } }))],
    ['routes[0].requestHeaders.set["x-key"]', route(to({ requestHeaders: { set: { 'x-key': unset } } }))],
    ['server.tls', { ...route(), server: { tls: unset } }],
    ['server.tls.more', { ...route(), server: { tls: { cert: 'x', key: 'x', more: unset } } }],
    ['upstreams.users.rateLimit', upstream({ rateLimit: unset })],
  ]
  for (const [path, config] of UNSET) {
    it(`${path} from a variable that is not set`, async () => {
      const { problems } = await refusal(config)
      const message = 'is undefined, as a variable is that is not set; give it a value, or leave the key out'
      assert.deepEqual(
        problems.filter((problem) => problem.path === path),
        [{ path, message }],
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
