/** Names and passwords: what is read, what it costs, and that guessing them costs nobody else anything. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { scryptSync } from 'node:crypto'
import { Agent } from 'node:http'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { makeKey } from '../../plugins/auth/api-key/key.ts'
import { Refusal } from '../../plugins/auth/authenticator.ts'
import { readBasic } from '../../plugins/auth/basic/header.ts'
import { hashPassword, processTag, verifyPassword } from '../../plugins/auth/basic/node.ts'
import { Passwords } from '../../plugins/auth/basic/passwords.ts'
import { formatPasswordHash, type PasswordHash, parsePasswordHash } from '../../plugins/auth/basic/phc.ts'
import { NoTurnError, Turns } from '../../plugins/auth/basic/turns.ts'
import type { Consumers } from '../../plugins/auth/consumers.ts'
import type { Identity } from '../../plugins/upstreams/identity.ts'
import { ROOT } from '../support/process.ts'
import { startTarget } from '../support/target.ts'
import { ask } from '../transport/support.ts'
import { expectProblems, gatewayTo, problemsOf } from './support.ts'

const CHEAP = { ln: 10, r: 8, p: 1 }
const bytesOf = (text: string) => Buffer.from(text, 'base64')
const encode = (text: string, as: BufferEncoding = 'utf8') => Buffer.from(text, as).toString('base64')
const basic = (name: string, password: string) => ({
  authorization: `Basic ${encode(`${name}:${password}`)}`,
})

describe('the header', () => {
  it("RFC 7617's examples", () => {
    assert.deepEqual(readBasic('QWxhZGRpbjpvcGVuIHNlc2FtZQ==', bytesOf), {
      name: 'Aladdin',
      password: 'open sesame',
    })
    assert.deepEqual(readBasic('dGVzdDoxMjPCow==', bytesOf), { name: 'test', password: '123£' })
  })

  it('any name without a colon and any password come back as they were', () => {
    const plain = fc.string({ unit: 'grapheme', maxLength: 40 }).filter((text) => !/\p{Cc}/u.test(text))
    fc.assert(
      fc.property(plain, plain, (name, password) => {
        fc.pre(!name.includes(':'))
        assert.deepEqual(readBasic(encode(`${name}:${password}`), bytesOf), { name, password })
      }),
    )
  })

  for (const [what, credentials] of [
    ['nothing', ''],
    ['no base64', 'a:b'],
    ['base64url', 'YT_-OmI='],
    ['no colon', encode('alone')],
    ['latin1', encode('test:123£', 'latin1')],
    ['a control character', encode('a:b\nc')],
    ['far too much', encode(`a:${'x'.repeat(1000)}`)],
  ] as const) {
    it(`refuses ${what}`, () => assert.equal(readBasic(credentials, bytesOf), undefined))
  }
})

describe('hashes', () => {
  it('are PHC text, verified by any scrypt', async () => {
    const text = await hashPassword('pässword', CHEAP)
    const hash = parsePasswordHash(text) as PasswordHash
    assert.equal(formatPasswordHash(hash), text)
    const salt = Buffer.from(hash.salt, 'base64')
    const own = scryptSync('pässword', salt, 32, { N: 1024, r: 8, p: 1 })
    assert.equal(hash.hash, own.toString('base64').replace(/=+$/, ''))
    assert.equal(await verifyPassword('pässword', hash), true)
    assert.equal(await verifyPassword('password', hash), false)
    assert.notEqual(await hashPassword('pässword', CHEAP), text)
  })

  it("RFC 7914's own: scrypt('password', 'NaCl', N = 1024, r = 8, p = 16)", async () => {
    const dk =
      'fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640'
    const hash = Buffer.from(dk, 'hex').toString('base64').replace(/=+$/, '')
    assert.ok(
      await verifyPassword('password', {
        ln: 10,
        r: 8,
        p: 16,
        salt: encode('NaCl').replace(/=+$/, ''),
        hash,
      }),
    )
  })

  it('are the same for what looks the same (NFC)', async () => {
    const hash = parsePasswordHash(await hashPassword('ä', CHEAP)) as PasswordHash
    assert.ok(await verifyPassword('a\u0308'.normalize('NFC'), hash))
  })
})

describe('turns', () => {
  it('are so many at once, in order; who would have to wait behind too many is told at once', async () => {
    const turns = new Turns(2, 2)
    const ends: (() => void)[] = []
    const order: number[] = []
    const work = (which: number) => () => {
      order.push(which)
      return new Promise<number>((resolve) => ends.push(() => resolve(which)))
    }
    const taken = [0, 1, 2, 3].map((which) => turns.take(work(which)))
    await assert.rejects(turns.take(work(4)), NoTurnError)
    assert.deepEqual([turns.waiting, turns.refused], [2, 1])
    assert.deepEqual(order, [0, 1])
    ends[1]?.()
    assert.equal(await taken[1], 1)
    await new Promise(setImmediate)
    assert.deepEqual(order, [0, 1, 2])
    for (let i = 0; i < 4; i++) {
      ends[i]?.()
      await new Promise(setImmediate)
    }
    assert.deepEqual(await Promise.all(taken), [0, 1, 2, 3])
    const failed = turns.take(() => Promise.reject(new Error('no')))
    await assert.rejects(failed, /no/)
    assert.equal(await turns.take(async () => 5), 5, 'a turn that failed is given back')
  })
})

function passwords(options: Partial<{ cacheFor: number; cacheSize: number }> = {}) {
  const consumer = { scopes: [], roles: [], claims: {}, apiKeys: [], certificates: [], signingKeys: [] }
  const hash = (cost: object, of: string) =>
    formatPasswordHash({
      ln: 14,
      r: 8,
      p: 5,
      salt: 'A'.repeat(22),
      hash: encode(of.padEnd(32)).replace(/=+$/, ''),
      ...cost,
    })
  const consumers = {
    acme: { ...consumer, plan: 'gold', password: hash({}, 'open') },
    bolt: { ...consumer, password: hash({ ln: 15 }, 'sesame') },
    keyless: consumer,
  } as Consumers
  const costs: string[] = []
  const clock = { at: 0 }
  const work = {
    async verify(password: string, stored: PasswordHash) {
      costs.push(`${stored.ln},${stored.r},${stored.p}`)
      return Buffer.from(stored.hash, 'base64').toString().trim() === password
    },
    tag: processTag(),
    now: () => clock.at,
  }
  const all = new Passwords(
    consumers,
    { cacheFor: 60_000, cacheSize: 100, ...options },
    work,
    new Turns(4, 4),
  )
  return { all, costs, clock }
}

describe('passwords', () => {
  it('that are right are remembered for a while, as are wrong ones, and both are forgotten', async () => {
    const { all, costs, clock } = passwords()
    const first = (await all.authenticate('acme', 'open')) as Identity
    assert.deepEqual([first.id, first.kind, first.plan], ['consumer:acme', 'basic', 'gold'])
    assert.equal(all.authenticate('acme', 'open'), first, 'at once, without a promise')
    assert.ok((await all.authenticate('acme', 'shut')) instanceof Refusal)
    assert.ok(all.authenticate('acme', 'shut') instanceof Refusal)
    assert.equal(costs.length, 2)
    clock.at = 10_000
    await all.authenticate('acme', 'shut')
    clock.at = 60_000
    await all.authenticate('acme', 'open')
    assert.equal(costs.length, 4)
  })

  it('are not remembered where that is not wanted', async () => {
    const { all, costs } = passwords({ cacheFor: 0 })
    for (const password of ['open', 'open', 'shut', 'shut']) await all.authenticate('acme', password)
    assert.equal(costs.length, 4)
  })

  it('cost the same for names that there are not: one hash, as dear as that of some name that there is', async () => {
    const { all, costs } = passwords()
    for (let i = 0; i < 40; i++) {
      const verdict = await all.authenticate(i % 2 === 0 ? `guess-${i}` : 'keyless', `p${i}`)
      assert.ok(verdict instanceof Refusal)
      assert.equal(verdict.told, 'The name or the password is wrong')
      assert.equal(costs.length, i + 1)
    }
    assert.deepEqual([...new Set(costs)].toSorted(), ['14,8,5', '15,8,5'])
    const same = passwords()
    for (let i = 0; i < 5; i++) await same.all.authenticate('stranger', `p${i}`)
    assert.equal(new Set(same.costs).size, 1, 'the same name costs the same each time')
  })

  it('that many ask about at once are hashed once', async () => {
    const { all, costs } = passwords()
    const verdicts = await Promise.all(Array.from({ length: 50 }, () => all.authenticate('acme', 'open')))
    assert.equal(costs.length, 1)
    assert.equal(new Set(verdicts).size, 1)
  })

  it('that fit nobody do not fit a name whose decoy they are', async () => {
    const { all } = passwords()
    for (const password of ['open', 'sesame'])
      for (const name of ['x', 'y', 'z', 'keyless', 'constructor', ''])
        assert.ok((await all.authenticate(name, password)) instanceof Refusal)
  })

  it('take no more memory than they may', async () => {
    const { all, costs } = passwords({ cacheSize: 2 })
    for (const password of ['a', 'b', 'c', 'c', 'b', 'a']) await all.authenticate('acme', password)
    assert.equal(costs.length, 4)
  })
})

describe('a gateway', () => {
  const run = promisify(execFile)
  const script = join(ROOT, 'scripts/api-key.ts')

  it('knows whom the command has made a hash for, asks others for it, and keeps it to itself', async (t) => {
    const child = run(process.execPath, [script, '--password'])
    child.child.stdin?.end('öpen: sesame\n')
    const password = (await child).stdout.trim()
    const target = await startTarget(t)
    const { port } = await gatewayTo(t, target.origin, {
      config: { auth: { realm: 'the shop', basic: {} }, consumers: { acme: { password } } },
      route: { auth: 'basic' },
    })
    assert.equal((await ask(port, { headers: basic('acme', 'öpen: sesame') })).status, 200)
    assert.equal((await ask(port, { headers: basic('acme', 'o\u0308pen: sesame') })).status, 200)
    assert.equal(target.seen[0]?.headers.authorization, undefined)
    for (const headers of [basic('acme', 'open'), basic('nobody', 'öpen: sesame')]) {
      const refused = await ask(port, { headers })
      assert.equal(refused.status, 401)
      assert.equal(refused.headers['www-authenticate'], 'Basic realm="the shop", charset="UTF-8"')
      assert.equal(JSON.parse(String(refused.body)).detail, 'The name or the password is wrong')
    }
    assert.equal((await ask(port)).headers['www-authenticate'], 'Basic realm="the shop", charset="UTF-8"')
    assert.equal((await ask(port, { headers: { authorization: 'Basic ???' } })).status, 400)
    assert.equal((await ask(port, { headers: { authorization: 'Bearer abc' } })).status, 401)
    assert.equal(target.seen.length, 2)
  })

  it('forwards the header if it is told to', async (t) => {
    const target = await startTarget(t)
    const { port } = await gatewayTo(t, target.origin, {
      config: {
        auth: { basic: { forward: true } },
        consumers: { acme: { password: await hashPassword('open', CHEAP) } },
      },
      route: { auth: 'basic' },
    })
    const headers = basic('acme', 'open')
    assert.equal((await ask(port, { headers })).status, 200)
    assert.equal(target.seen[0]?.headers.authorization, headers.authorization)
  })

  it('serves others while 2,000 passwords are tried, and never answers 500', async (t) => {
    const target = await startTarget(t)
    const key = makeKey(new Uint8Array(32).fill(7))
    const { createHash } = await import('node:crypto')
    const hash = `sha256:${createHash('sha256').update(key).digest('hex')}`
    const { port, app } = await gatewayTo(t, target.origin, {
      config: {
        auth: { basic: {}, 'api-key': {} },
        consumers: {
          acme: { password: await hashPassword('open', { ln: 14, r: 8, p: 1 }) },
          bolt: { apiKeys: [hash] },
        },
      },
      route: { auth: ['basic', 'api-key'] },
    })
    const agent = new Agent({ keepAlive: true, maxSockets: 100 })
    t.after(() => agent.destroy())
    const statuses = new Map<number, number>()
    const guess = async (i: number): Promise<void> => {
      const { status } = await ask(port, {
        agent,
        headers: basic(i % 3 === 0 ? 'acme' : `user-${i}`, `guess-${i}`),
      })
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
    }
    let done = false
    const storm = Promise.all(Array.from({ length: 2000 }, (_, i) => guess(i))).then(() => {
      done = true
    })
    let served = 0
    let slowest = 0
    while (!done) {
      const from = performance.now()
      assert.equal((await ask(port, { headers: { 'x-api-key': key } })).status, 200)
      slowest = Math.max(slowest, performance.now() - from)
      served++
    }
    await storm
    t.diagnostic(
      `${[...statuses].join(' ')}; ${served} others served, the slowest in ${Math.round(slowest)} ms`,
    )
    assert.ok(served > 5, `${served} served`)
    // Were each of them hashed, one after another, it would be a minute.
    assert.ok(slowest < 20_000, `${slowest} ms`)
    assert.deepEqual(
      [...statuses.keys()].filter((status) => status !== 401 && status !== 503),
      [],
    )
    assert.ok((statuses.get(503) ?? 0) > 0, 'the queue has its limit')
    const shown: Record<string, number> = {}
    for (const { name, collect } of app.upstreams.collectors) {
      if (name.startsWith('auth_passwords'))
        collect((value, ...labels) => Object.assign(shown, { [`${name} ${labels}`]: value }))
    }
    assert.equal(shown['auth_passwords_total refused'], statuses.get(503))
    assert.equal(shown['auth_passwords_waiting '], 0)
    assert.equal((await ask(port, { headers: basic('acme', 'open') })).status, 200)
  })

  it('does not start with hashes that are none, too cheap or too dear, and shows none of them', async () => {
    const salt = 'A'.repeat(22)
    const costly = (cost: string) => ({ password: `$scrypt$${cost}$${salt}$${'B'.repeat(43)}` })
    const shown = await expectProblems(
      {
        auth: { basic: { concurrency: 0 } },
        consumers: {
          a: { password: 'open sesame' },
          b: costly('ln=9,r=8,p=1'),
          c: costly('ln=20,r=8,p=1'),
          d: costly('ln=14,r=0,p=1'),
          e: { password: `$2b$10$${salt}` },
        },
      },
      [
        'auth.basic.concurrency: must be at least 1',
        'consumers.a.password: is no scrypt hash in PHC form; write the hash that `npm run api-key -- --password` prints',
        'consumers.b.password: is so cheap',
        'consumers.c.password: takes more than 128 MiB',
        'consumers.d.password: has costs',
        'consumers.e.password: is no scrypt hash',
      ],
    )
    assert.ok(!shown.includes('open sesame'))
    assert.equal(await problemsOf({ auth: { basic: {} }, consumers: { a: costly('ln=14,r=8,p=5') } }), '')
  })
})
