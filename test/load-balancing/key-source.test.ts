import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type KeySources, keyOf } from '../../plugins/load-balancing/hash/key-source.ts'
import { paramsOf } from '../../plugins/load-balancing/hash/route-sources.ts'
import { clientNetwork } from '../../plugins/upstreams/client-network.ts'
import { cookieValues } from '../../plugins/upstreams/cookies.ts'
import type { KeyedRequest } from '../../plugins/upstreams/exchange.ts'
import { buildGateway } from '../support/gateway.ts'
import { startTarget } from '../support/target.ts'
import { ask, gatewayTo } from '../transport/support.ts'

const request: KeyedRequest = {
  headers: { 'x-user': 'u1', 'x-empty': '', 'x-many': ['first', 'second'], cookie: 'a=1; sid="s1"; sid=s2' },
  params: { id: 'p1', '*': 'rest/of' },
  query: { q: 'q1', many: ['m1', 'm2'], nested: { no: 1 } },
  ip: '2001:db8:1:2:3:4:5:6',
  identity: { id: 'who' },
}

describe('where keys come from', () => {
  for (const [on, key] of [
    [{ header: 'X-User' }, 'u1'],
    [{ header: 'x-many' }, 'first'],
    [{ header: 'x-none' }, ''],
    [{ header: 'constructor' }, ''],
    [{ cookie: 'sid' }, 's1'],
    [{ cookie: 'none' }, ''],
    [{ param: 'id' }, 'p1'],
    [{ param: '*' }, 'rest/of'],
    [{ param: 'toString' }, ''],
    [{ query: 'q' }, 'q1'],
    [{ query: 'many' }, 'm1'],
    [{ query: 'nested' }, ''],
    ['client-address', '2001:db8:1:2::/64'],
    ['identity', 'who'],
    [[{ header: 'x-none' }, { header: 'x-empty' }, { query: 'q' }, 'identity'], 'q1'],
    [[{ header: 'x-none' }], ''],
  ] as const satisfies readonly (readonly [KeySources, string])[]) {
    it(`${JSON.stringify(on)} is "${key}"`, () => assert.equal(keyOf(on)(request), key))
  }

  it('is empty for a request that has none of it', () => {
    const none: KeyedRequest = { headers: {}, params: undefined, query: null, ip: '', identity: null }
    const on: KeySources = [
      { header: 'a' },
      { cookie: 'a' },
      { param: 'a' },
      { query: 'a' },
      'client-address',
      'identity',
    ]
    assert.equal(keyOf(on)(none), '')
  })
})

describe('a client’s network', () => {
  for (const [address, network] of [
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['0:0:0:0:0:FFFF:192.0.2.7', '192.0.2.7'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['2001:db8:0:0:1::', '2001:db8:0:0::/64'],
    ['2001:0DB8:0000:00a0:1:2:3:4', '2001:db8:0:a0::/64'],
    ['2001:db8:1:2:3::', '2001:db8:1:2::/64'],
    ['::1', '0:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['1::2:3:4:5:6:7', '1:0:2:3::/64'],
    ['64:ff9b::192.0.2.33', '64:ff9b:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['', ''],
    [undefined, ''],
  ] as const) {
    it(`of ${address} is ${network}`, () => assert.equal(clientNetwork(address), network))
  }
})

it('cookies are read as they stand, up to so many', () => {
  assert.deepEqual(cookieValues('a=1; b=2;a="3" ; aa=4; a', 'a', 9), ['1', '3'])
  assert.deepEqual(cookieValues(['a=1', 'a=2'], 'a', 9), ['1', '2'])
  assert.deepEqual(cookieValues('a=1; a=2; a=3', 'a', 2), ['1', '2'])
  assert.deepEqual(cookieValues(undefined, 'a', 1), [])
  assert.deepEqual(cookieValues('a=b=c', 'a', 1), ['b=c'])
})

it('parameters are found in every kind of path', () => {
  assert.deepEqual(paramsOf('/users/:id/posts/:post/*'), ['id', 'post', '*'])
  assert.deepEqual(paramsOf('/users'), [])
  assert.deepEqual(paramsOf(/\/u\/(?<id>\d+)-(\w+)/g), ['1', '2', 'id'])
  assert.deepEqual(paramsOf('~/u/(?<id>[0-9]+)'), ['1', 'id'])
  assert.deepEqual(paramsOf('~/u/('), [])
})

describe('keys in a gateway', () => {
  it('sends like to like, whatever tells them apart', async (t) => {
    const targets = await Promise.all(
      [0, 1, 2].map((n) => startTarget(t, (_seen, response) => response.end(String(n)))),
    )
    const origins = targets.map(({ origin }) => ({ origin }))
    const upstream = (policy: string, on: unknown) => ({ targets: origins, loadBalancing: { policy, on } })
    const { port } = await gatewayTo(t, targets[0]!.origin, {
      server: { trustProxy: ['127.0.0.1'] },
      others: {
        header: upstream('ring-hash', { header: 'x-user' }),
        cookie: upstream('maglev', { cookie: 'sid' }),
        param: upstream('ring-hash', { param: 'id' }),
        query: upstream('maglev', { query: 'q' }),
        address: { targets: origins, loadBalancing: 'ring-hash' },
      },
      routes: [
        { path: '/header', upstream: 'header' },
        { path: '/cookie', upstream: 'cookie' },
        { path: '/param/:id', upstream: 'param' },
        { path: '/query', upstream: 'query' },
        { path: '/address', upstream: 'address' },
      ],
    })
    const ways: Readonly<Record<string, (key: string) => { url: string; headers?: Record<string, string> }>> =
      {
        header: (key) => ({ url: '/header', headers: { 'x-user': key } }),
        cookie: (key) => ({ url: '/cookie', headers: { cookie: `x=y; sid=${key}` } }),
        param: (key) => ({ url: `/param/${key}` }),
        query: (key) => ({ url: `/query?a=b&q=${key}` }),
        address: (key) => ({ url: '/address', headers: { 'x-forwarded-for': `10.1.1.${key}` } }),
      }
    for (const [way, asked] of Object.entries(ways)) {
      const where = async (key: number): Promise<string> =>
        (await ask(port, asked(String(key)))).body.toString()
      const keys = Array.from({ length: 20 }, (_, key) => key)
      // One after another: many at once are too many for one target, and spill.
      const first: string[] = []
      for (const key of keys) first.push(await where(key))
      assert.equal(new Set(first).size, 3, `${way}: the keys are spread`)
      for (const key of keys) assert.equal(await where(key), first[key], `${way}: key ${key} has moved`)
    }
  })
})

describe('the config of keys', () => {
  const targets = [1, 2, 3].map((n) => ({ origin: `http://10.0.0.${n}` }))
  const config = (loadBalancing: object, ...routes: readonly object[]) => ({
    upstreams: { main: { targets, loadBalancing }, other: { targets } },
    auth: { jwt: { issuers: [{ issuer: 'https://id.example.com/', audience: 'api' }] } },
    routes: routes.length === 0 ? [{ path: '/*', upstream: 'main' }] : routes,
  })
  const signedIn = [{ path: '/a', upstream: 'main', auth: 'jwt' }]
  const byId = { policy: 'ring-hash', on: { param: 'id' } }

  for (const [what, wrong, problem] of [
    [
      'a source that there is not',
      config({ policy: 'maglev', on: 'adress' }),
      /loadBalancing\.on: "adress" is no source of keys; write \{ header/,
    ],
    [
      'two sources in one',
      config({ policy: 'maglev', on: { header: 'a', query: 'b' } }),
      /is no source of keys/,
    ],
    ['a list of none', config({ policy: 'maglev', on: [] }), /on: is an empty list/],
    [
      'a header that cannot be',
      config({ policy: 'ring-hash', on: { header: 'x user' } }),
      /on: "x user" cannot be the name of a header/,
    ],
    [
      'a source without a name',
      config({ policy: 'ring-hash', on: [{ query: '' }] }),
      /on: the query has no name/,
    ],
    [
      'a parameter that no route has',
      config(byId),
      /loadBalancing\.on: no route to "main" has ":id" in its path; put ":id" there, or take/,
    ],
    [
      'a parameter that one route lacks',
      config(byId, { path: '/a/:id', upstream: 'main' }, { path: '/b', split: { main: 1, other: 1 } }),
      /loadBalancing\.on: routes\[1\] has no ":id" in its path \(\/b\), .* \[\{ param: 'id' \}, 'client-address'\]/,
    ],
    [
      'an identity where no route asks for one',
      config({ policy: 'maglev', on: 'identity' }, { path: '/a', upstream: 'main' }),
      /loadBalancing\.on: no route to "main" has `auth`; give it `auth`, or take the key from elsewhere/,
    ],
    [
      'an identity that one route does not ask for',
      config(
        { policy: 'ring-hash', on: 'identity' },
        { path: '/a', upstream: 'main', auth: 'jwt' },
        { path: '/b', upstream: 'main' },
      ),
      /on: routes\[1\] has no `auth` \(\/b\), so its requests would be placed by chance; give it `auth`, or .* \['identity', 'client-address'\]/,
    ],
    [
      'a list of which a route has nothing',
      config(
        { policy: 'maglev', on: ['identity', { param: 'id' }] },
        { path: '/a/:id', upstream: 'main' },
        { path: '/b', upstream: 'main', auth: 'jwt' },
        { path: '/c', upstream: 'main' },
      ),
      /on: routes\[2\] has no `auth` and no ":id" in its path \(\/c\)/,
    ],
    [
      'a table with fewer entries than targets',
      config({ policy: 'maglev', tableSize: 2 }),
      /tableSize: 2 entries are too few for 3 targets; write 307/,
    ],
    [
      'an even table',
      config({ policy: 'maglev', tableSize: 1000 }),
      /tableSize: 1000 is even, .* the next is 1009/,
    ],
    [
      'all of it at once',
      config({ policy: 'maglev', tableSize: 1000, bounded: { eps: 0 }, on: 'x', ttl: 1 }),
      /(?=[\s\S]*tableSize: )(?=[\s\S]*eps must be)(?=[\s\S]*on: )(?=[\s\S]*ttl: unknown key)/,
    ],
  ] as const) {
    it(`refuses ${what}`, async () => {
      await assert.rejects(buildGateway(wrong), problem)
    })
  }

  it('takes a parameter where every route has it or has something else', async (t) => {
    const fine = [
      config(
        byId,
        { path: '/a/:id', upstream: 'main' },
        { path: '~/b/(?<id>[0-9]+)', split: { main: 1 } },
        { path: '/c', upstream: 'other' },
      ),
      config(
        { policy: 'maglev', on: [{ param: 'id' }, 'client-address'] },
        { path: '/a/:id', upstream: 'main' },
        { path: '/b', upstream: 'main' },
      ),
      config(byId, { path: '/c', upstream: 'other' }),
      config({ policy: 'maglev', on: 'identity' }, { path: '/c', upstream: 'other' }),
      config({ policy: 'maglev', on: ['identity', { header: 'x-user' }] }, ...signedIn, {
        path: '/b',
        upstream: 'main',
      }),
      config({ policy: 'maglev', on: 'identity' }, ...signedIn),
    ]
    for (const one of fine) {
      const app = await buildGateway(one)
      t.after(() => app.close())
    }
  })
})
