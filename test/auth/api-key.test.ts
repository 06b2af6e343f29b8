/** API keys: their form, the look-up, where they are taken from and where they are not left. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { promisify } from 'node:util'
import { crc32 as zlibCrc32 } from 'node:zlib'
import fc from 'fast-check'
import { WebSocket, WebSocketServer } from 'ws'
import { crc32, isMistyped, makeKey } from '../../plugins/auth/api-key/key.ts'
import { ApiKeys } from '../../plugins/auth/api-key/keys.ts'
import { Refusal } from '../../plugins/auth/authenticator.ts'
import type { Consumers } from '../../plugins/auth/consumers.ts'
import { withoutPair } from '../../plugins/routing/query-text.ts'
import type { Identity } from '../../plugins/upstreams/identity.ts'
import { ROOT } from '../support/process.ts'
import { startTarget } from '../support/target.ts'
import { ask } from '../transport/support.ts'
import { expectProblems, gatewayTo, problemsOf } from './support.ts'

const run = promisify(execFile)
const bytes = fc.uint8Array({ minLength: 32, maxLength: 32 })

function hashOf(key: string): string {
  return `sha256:${createHash('sha256').update(key).digest('hex')}`
}

function consumer(more: object): Consumers[string] {
  return { scopes: ['read'], roles: [], claims: {}, apiKeys: [], certificates: [], signingKeys: [], ...more }
}

describe('the form of a key', () => {
  it('has 256 random bits, a prefix that scanners know and the checksum of both', () => {
    fc.assert(
      fc.property(bytes, (random) => {
        const key = makeKey(random)
        assert.match(key, /^hf_[0-9A-Za-z]{49}$/)
        assert.equal(isMistyped(key), false)
        assert.equal(crc32(key), zlibCrc32(key))
      }),
    )
    assert.notEqual(makeKey(randomBytes(32)), makeKey(randomBytes(32)))
    assert.equal(makeKey(new Uint8Array(32).fill(255)).length, makeKey(new Uint8Array(32)).length)
  })

  it('tells every slip of one character, and every key that is cut off', () => {
    fc.assert(
      fc.property(bytes, fc.integer({ min: 3, max: 51 }), fc.constantFrom(...'0aZ_'), (random, at, char) => {
        const key = makeKey(random)
        fc.pre(key[at] !== char)
        assert.equal(isMistyped(key.slice(0, at) + char + key.slice(at + 1)), true)
        assert.equal(isMistyped(key.slice(0, at)), true)
        assert.equal(isMistyped(`${key}0`), true)
      }),
    )
  })

  it('leaves keys alone that were made elsewhere', () => assert.equal(isMistyped('sk-old-key'), false))
})

describe('the look-up', () => {
  const known = makeKey(randomBytes(32))
  const old = makeKey(randomBytes(32))
  const narrow = makeKey(randomBytes(32))
  const work = { digests: 0, compared: 0 }
  let now = Date.parse('2027-01-01')
  const keys = new ApiKeys(
    {
      acme: consumer({
        plan: 'gold',
        roles: ['partner'],
        claims: { city: 'Bonn' },
        apiKeys: [
          { hash: hashOf(known), name: 'till' },
          { hash: hashOf(old), expires: '2027-06-01' },
          { hash: hashOf(narrow), scopes: [] },
        ],
      }),
    },
    {
      digest(key) {
        work.digests++
        return createHash('sha256').update(key).digest()
      },
      hex: (digest) => Buffer.from(digest).toString('hex'),
      equal(a, b) {
        work.compared++
        return timingSafeEqual(a, b)
      },
      now: () => now,
    },
  )
  const workOf = (key: string) => {
    const before = { ...work }
    const verdict = keys.authenticate(key)
    return { verdict, digests: work.digests - before.digests, compared: work.compared - before.compared }
  }

  it('finds the consumer, its plan and what the key may do', () => {
    assert.deepEqual(keys.authenticate(known), {
      id: 'consumer:acme',
      kind: 'api-key',
      name: 'acme',
      consumer: 'acme',
      plan: 'gold',
      scopes: ['read'],
      roles: ['partner'],
      claims: { city: 'Bonn', api_key: 'till' },
    })
    assert.deepEqual((keys.authenticate(narrow) as Identity).scopes, [])
  })

  it('does the same work for keys that there are, that there are not and that have expired', () => {
    const there = workOf(known)
    const unknown = workOf(makeKey(randomBytes(32)))
    const foreign = workOf('some-other-key')
    now = Date.parse('2027-06-01')
    const expired = workOf(old)
    now = Date.parse('2027-05-31T23:59:59Z')
    assert.ok(!(workOf(old).verdict instanceof Refusal))
    for (const one of [unknown, foreign, expired]) {
      assert.deepEqual([one.digests, one.compared], [1, 1])
      assert.ok(one.verdict instanceof Refusal)
      assert.equal(one.verdict.told, 'The API key is not valid')
    }
    assert.deepEqual([there.digests, there.compared], [1, 1])
  })

  it('does none for what can be no key', () => {
    for (const key of ['', `${known}x`, `${known.slice(0, -1)}_`, 'x'.repeat(513)]) {
      const { verdict, digests } = workOf(key)
      assert.ok(verdict instanceof Refusal)
      assert.equal(digests, 0)
    }
  })
})

describe('a parameter that is taken out of a query', () => {
  const name = fc.constantFrom('k', 'kk', 'x', '')
  const pair = fc.oneof(
    fc.constantFrom('k', '%6b', 'k=', '%6B=%20', '&'),
    fc.tuple(name, fc.constantFrom('1', '%', 'a=b', '+')).map(([a, b]) => `${a}=${b}`),
  )
  it('is gone under every spelling of its name, and the rest is as it was', () => {
    fc.assert(
      fc.property(fc.array(pair), (pairs) => {
        const query = `?${pairs.join('&')}`
        const { rest, values } = withoutPair(query, 'k')
        const all = query.slice(1).split('&')
        const others = all.filter((one) => decodeURIComponent(one.split('=')[0] as string) !== 'k')
        assert.equal(values.length, all.length - others.length)
        assert.equal(rest, values.length === 0 ? query : others.length === 0 ? '' : `?${others.join('&')}`)
        assert.equal(new URLSearchParams(rest).has('k'), false)
      }),
    )
  })
})

describe('a gateway', () => {
  const key = makeKey(randomBytes(32))
  const next = makeKey(randomBytes(32))
  const consumers = { acme: { apiKeys: [hashOf(key), { hash: hashOf(next), name: 'next' }] } }

  it('takes the key from a header, which goes no further', async (t) => {
    const target = await startTarget(t)
    const { port } = await gatewayTo(t, target.origin, {
      config: { auth: { 'api-key': {} }, consumers },
      route: { auth: 'api-key' },
    })
    for (const one of [key, next])
      assert.equal((await ask(port, { headers: { 'X-API-Key': one } })).status, 200)
    assert.equal(target.seen.length, 2)
    assert.ok(target.seen.every(({ headers }) => headers['x-api-key'] === undefined))
    const refused = await ask(port, { headers: { 'x-api-key': `${key}x` } })
    assert.equal(refused.status, 401)
    assert.equal(JSON.parse(String(refused.body)).detail, 'The API key is not valid')
    assert.equal((await ask(port)).status, 401)
    assert.equal((await ask(port, { url: `/?api_key=${key}` })).status, 401)
    const twice = await ask(port, { headers: { 'x-api-key': [key, key] } as never })
    assert.equal(twice.status, 400)
    assert.equal(target.seen.length, 2)
  })

  it('forwards the header if it is told to, under the name that it is told', async (t) => {
    const target = await startTarget(t)
    const { port } = await gatewayTo(t, target.origin, {
      config: { auth: { 'api-key': { header: 'X-Key', forward: true } }, consumers },
      route: { auth: 'api-key' },
    })
    assert.equal((await ask(port, { headers: { 'x-key': key } })).status, 200)
    assert.equal(target.seen[0]?.headers['x-key'], key)
  })

  it('takes it from a query parameter, which is neither forwarded nor logged, whatever came of it', async (t) => {
    const target = await startTarget(t)
    const lines: string[] = []
    const { port } = await gatewayTo(t, target.origin, {
      config: { auth: { 'api-key': { query: 'k' } }, consumers },
      route: { auth: 'api-key' },
      routes: [{ path: '/open', upstream: 'main', auth: { accept: 'api-key', optional: true } }],
      log: (line) => lines.push(line),
      use: async (app) => {
        // Somebody who looks at the address before anybody else does.
        app.addHook('onRequest', async (request) => void request.originalUrl)
      },
    })
    const urls = [`/a?x=1&k=${key}&y=%41`, `/a?k=${key}`, `/a?%6B=${key}&`, '/open?x']
    for (const url of urls) assert.equal((await ask(port, { url })).status, 200, url)
    assert.deepEqual(
      target.seen.map(({ url }) => url),
      ['/a?x=1&y=%41', '/a', '/a?', '/open?x'],
    )
    const wrong = `${key.slice(0, -1)}~`
    assert.equal((await ask(port, { url: `/a?k=${wrong}` })).status, 401)
    assert.equal((await ask(port, { url: `/a?k=${key}&k=${key}` })).status, 400)
    assert.equal((await ask(port, { url: `/a?k=${key}`, headers: { 'x-api-key': key } })).status, 400)
    const log = lines.join('')
    assert.ok(log.includes('"url":"/a?x=1&y=%41"'), log)
    assert.ok(!log.includes(key) && !log.includes(wrong))
  })

  it('keeps it from every log and upstream, on routes that ask for none and in requests that are refused', async (t) => {
    const target = await startTarget(t)
    const lines: string[] = []
    const seen: string[] = []
    const limited = { path: '/limited', upstream: 'main', auth: 'api-key' }
    const { port } = await gatewayTo(t, target.origin, {
      config: { auth: { 'api-key': { query: 'q' } }, consumers },
      routes: [
        { ...limited, rateLimit: { max: 1, per: '1h', by: 'address' } },
        { path: '/moved', redirect: { to: '/elsewhere' } },
        { path: '/livez', endpoint: true, auth: 'api-key' },
        { path: '/by-key', query: { q: true }, upstream: 'main', auth: 'api-key' },
        { path: '/by-key', respond: { status: 418 } },
        { path: '/posted', methods: ['POST'], upstream: 'main' },
      ],
      log: (line) => lines.push(line),
      use: async (app) => {
        app.addHook('onRequest', async ({ url, originalUrl, query, raw }) => {
          seen.push(JSON.stringify([url, originalUrl, query, raw.url]))
        })
      },
    })
    const asked = async (url: string) => (await ask(port, { url })).status
    assert.equal(await asked(`/limited?q=${key}`), 200)
    assert.equal(await asked(`/limited?a&q=${key}`), 429)
    assert.equal(await asked(`/%zz?q=${key}&b`), 400)
    assert.equal(await asked(`http://127.0.0.1/open?q=${key}`), 200)
    assert.equal(await asked(`/open?q=${key}&c=1&%71=${key}`), 200)
    assert.equal(await asked(`/posted?q=${key}`), 200)
    assert.equal(await asked(`/livez?q=${key}`), 200)
    assert.equal(await asked('/livez?q=none'), 401)
    assert.equal(await asked(`/livez?q=${key}&q=${key}`), 400)
    assert.equal(await asked(`/by-key?q=${key}`), 200)
    assert.equal(await asked('/by-key'), 418)
    const moved = await ask(port, { url: `/moved?q=${key}&d=1` })
    assert.equal(moved.headers.location, '/elsewhere?d=1')
    assert.deepEqual(
      target.seen.map(({ url }) => url),
      ['/limited', '/open', '/open?c=1', '/posted', '/by-key'],
    )
    const log = lines.join('')
    assert.ok(log.includes('"url":"/%zz?b"') && log.includes('"url":"/limited?a"'), log)
    assert.ok(!log.includes(key) && !seen.join('').includes(key))
  })

  it('lets browsers open WebSockets, which can send no headers, by the parameter', async (t) => {
    const target = await startTarget(t)
    const echo = new WebSocketServer({ noServer: true })
    const asked: string[] = []
    target.server.on('upgrade', (request, socket, head) => {
      asked.push(request.url ?? '')
      echo.handleUpgrade(request, socket, head, (client) => client.send('hi'))
    })
    const { port } = await gatewayTo(t, target.origin, {
      config: { auth: { 'api-key': { query: 'k' } }, consumers },
      route: { auth: 'api-key' },
    })
    const client = new WebSocket(`ws://127.0.0.1:${port}/live?a=1&k=${key}`)
    const [message] = await once(client, 'message')
    assert.equal(String(message), 'hi')
    client.terminate()
    const stranger = new WebSocket(`ws://127.0.0.1:${port}/live?k=none`)
    const [error] = await once(stranger, 'error')
    assert.match(error.message, /401/)
    assert.deepEqual(asked, ['/live?a=1'])
  })

  it('takes the key off the request though another credential was the good one', async (t) => {
    const target = await startTarget(t)
    const { port } = await gatewayTo(t, target.origin, {
      config: { auth: { 'api-key': {}, office: {} }, consumers },
      route: { auth: ['office', 'api-key'] },
      use: async () => {},
    }).catch(() => ({ port: 0 }))
    assert.equal(port, 0, 'a kind that nobody has defined')
    const started = await gatewayTo(t, target.origin, {
      config: {
        auth: { 'api-key': {}, mtls: { fromProxies: true } },
        consumers: {
          ...consumers,
          office: { certificates: [{ subject: 'CN=nobody' }] },
        },
      },
      server: { trustProxy: ['10.0.0.1'] },
      route: { auth: ['mtls', 'api-key'] },
    })
    const answer = await ask(started.port, { headers: { 'x-api-key': key, 'client-cert': ':AAAA:' } })
    assert.equal(answer.status, 200)
    assert.deepEqual(
      ['x-api-key', 'client-cert'].map((name) => target.seen[0]?.headers[name]),
      [undefined, undefined],
    )
  })

  it('does not start with keys that two have, that are no hashes, or that nobody has', async () => {
    const shown = await expectProblems(
      {
        auth: { 'api-key': { header: 'Cookie', query: 'a b' } },
        consumers: {
          acme: { apiKeys: [hashOf(key), { hash: hashOf(next), expires: 'soon' }] },
          bolt: { apiKeys: [hashOf(key), key] },
          'c:d': {},
        },
      },
      [
        'auth["api-key"].query: "a b" is not of the right form',
        'auth["api-key"].header: is a header that means something else',
        'consumers.acme.apiKeys[1].expires: "soon" is no date',
        'consumers.bolt.apiKeys[0]: is the key of consumers.acme.apiKeys[0] too',
        'consumers.bolt.apiKeys[1].hash: is no hash of a key',
        'consumers["c:d"]: is not a good name; use letters, digits and `_.@+-`',
      ],
    )
    await expectProblems(
      { auth: { 'api-key': {} }, consumers: { acme: { apiKeys: [hashOf('test'), hashOf('acme')] } } },
      [
        'consumers.acme.apiKeys[0].hash: is the hash of "test", which anybody would try',
        'consumers.acme.apiKeys[1].hash: is the hash of "acme", which anybody would try',
      ],
    )
    assert.ok(!shown.includes(key), 'a key that was written by mistake is not shown')
    await expectProblems({ auth: { 'api-key': {} } }, ['auth["api-key"]: nobody could come in by it'])
    await expectProblems({ consumers }, ['consumers.acme.apiKeys: does nothing without `auth["api-key"]`'])
    assert.equal(await problemsOf({ auth: { 'api-key': {} }, consumers }), '')
  })
})

describe('npm run api-key', () => {
  const script = join(ROOT, 'scripts/api-key.ts')
  const outcome = (args: readonly string[], input = '') => {
    const child = run(process.execPath, [script, ...args])
    child.child.stdin?.end(input)
    return child.then(
      ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
      (error) => ({
        code: error.code as number,
        stdout: error.stdout as string,
        stderr: error.stderr as string,
      }),
    )
  }

  it('prints a key once, and what of it goes into the config', async (t) => {
    const { stdout, stderr } = await outcome(['--name', 'the till', '--expires', '2099-01-31'])
    const key = stdout.trim()
    assert.equal(isMistyped(key), false)
    assert.match(key, /^hf_/)
    assert.ok(!stderr.includes(key))
    const [snippet] = stderr.match(/\{ hash: .* \}/) ?? []
    const entry = Function(`return (${snippet})`)() as object
    assert.deepEqual(entry, { hash: hashOf(key), name: 'the till', expires: '2099-01-31' })
    const target = await startTarget(t)
    const { port } = await gatewayTo(t, target.origin, {
      config: { auth: { 'api-key': {} }, consumers: { acme: { apiKeys: [entry] } } },
      route: { auth: 'api-key' },
    })
    assert.equal((await ask(port, { headers: { 'x-api-key': key } })).status, 200)
  })

  it('hashes a key that there is already, and shows it nowhere', async () => {
    const mine = 'kong-Zx81mBq0fPw3LtYc7Rn5'
    const { code, stdout, stderr } = await outcome(['--hash', '--name', 'old'], `${mine}\n`)
    assert.deepEqual([code, stdout], [0, ''])
    assert.ok(stderr.includes(`{ hash: '${hashOf(mine)}', name: "old" }`))
    assert.ok(!stderr.includes(mine))
    const wrong = await Promise.all(
      ['', 'changeme', 'a b', `${makeKey(randomBytes(32))}x`, 'x'.repeat(513)].map((one) =>
        outcome(['--hash'], one),
      ),
    )
    assert.deepEqual(
      wrong.map((one) => one.code),
      Array(5).fill(2),
    )
    assert.match((await outcome(['--hash'], 'short-one')).stderr, /less than 20 characters/)
  })

  it('says what is wrong with its arguments', async () => {
    const [date, unknown, mixed, empty, help] = await Promise.all([
      outcome(['--expires', 'soon']),
      outcome(['--nope']),
      outcome(['--password', '--name', 'x']),
      outcome(['--password'], '\n'),
      outcome(['--help']),
    ])
    assert.match(date.stderr, /"soon" is no date/)
    assert.match(unknown.stderr, /usage/)
    assert.match(mixed.stderr, /are for keys/)
    assert.deepEqual([empty.code, empty.stdout], [2, ''])
    assert.match(help.stdout, /usage/)
  })
})
