import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { addressRule } from '../../plugins/address-rules/rule.ts'
import { buildGateway } from '../support/gateway.ts'
import { startTarget } from '../support/target.ts'

describe('a rule', () => {
  const RULES: [Parameters<typeof addressRule>[0], string[], string[]][] = [
    [{ deny: ['10.0.0.0/8'] }, ['11.0.0.1', '::1'], ['10.1.2.3', '::ffff:10.1.2.3', '::FFFF:10.1.2.3']],
    [{ allow: ['10.0.0.0/8'] }, ['10.1.2.3', '::ffff:10.1.2.3'], ['11.0.0.1', '::1', '::a01:203']],
    [{ allow: ['10.0.0.0/8'], deny: ['10.1.0.0/16'] }, ['10.2.0.1'], ['10.1.0.1', '12.0.0.1']],
    [{ allow: ['10.1.0.1'], deny: ['10.0.0.0/8'] }, [], ['10.1.0.1', '10.2.0.1', '1.1.1.1']],
    [{ allow: ['2001:db8::/32'] }, ['2001:db8::1', '2001:0DB8:0::1'], ['2001:db9::1', '10.0.0.1']],
    [{ allow: ['fe80::/10'] }, ['fe80::1', 'fe80::1%eth0'], ['2001::1']],
    [
      { deny: ['::ffff:10.0.0.0/104', '::ffff:11.0.0.1'] },
      ['12.0.0.1'],
      ['10.9.9.9', '::ffff:10.9.9.9', '11.0.0.1'],
    ],
    [{ deny: ['0.0.0.0/0'] }, ['::1'], ['8.8.8.8', '::ffff:8.8.8.8']],
    [{ deny: ['1.1.1.1'] }, ['1.1.1.2'], ['', 'unknown', '10.0.0', '1.1.1.1, 2.2.2.2', '0x0a.0.0.1']],
  ]
  for (const [rule, may, mayNot] of RULES) {
    it(JSON.stringify(rule), () => {
      const mayCome = addressRule(rule)
      for (const address of may) assert.equal(mayCome(address), true, address)
      for (const address of mayNot) assert.equal(mayCome(address), false, address)
    })
  }
})

describe('a gateway', () => {
  const setup = async (t: Parameters<typeof startTarget>[0], config: object) => {
    const target = await startTarget(t)
    const ran: string[] = []
    const app = await buildGateway(
      {
        server: { trustProxy: ['127.0.0.1'] },
        upstreams: { users: { targets: [{ origin: target.origin }] } },
        routes: [
          { name: 'inside', path: '/inside', upstream: 'users', addresses: { allow: ['10.0.0.0/8'] } },
          { path: '/open', upstream: 'users' },
        ],
        ...config,
      },
      {
        use: async (fastify) => {
          fastify.addGuard({
            name: 'late',
            stage: 'authenticate',
            forRoute: () => () => void ran.push('late'),
          })
          fastify.addGuard({
            name: 'early',
            stage: 'cors',
            answersPreflight: () => true,
            forRoute: () => (_request, reply) => {
              ran.push('early')
              if (reply.request.method === 'OPTIONS') reply.code(204).send()
            },
          })
        },
      },
    )
    t.after(() => app.close())
    const status = async (url: string, from: string, more: Record<string, string> = {}): Promise<number> => {
      const { method = 'GET', ...headers } = more
      const response = await app.inject({
        url,
        method: method as 'GET',
        headers: { 'x-forwarded-for': from, ...headers },
      })
      return response.statusCode
    }
    return { app, target, ran, status }
  }

  it('lets a route have its own, by the address that trusted proxies tell of', async (t) => {
    const { app, target, ran, status } = await setup(t, {})
    assert.deepEqual([await status('/inside', '10.1.1.1'), await status('/inside', '11.1.1.1')], [200, 403])
    assert.equal(await status('/inside', '10.1.1.1, 11.1.1.1'), 403)
    assert.equal(await status('/inside', '10.1.1.1:80'), 200, 'with its port, as Azure tells of it')
    for (const nonsense of ['unknown', '10.1.1', '10.1.1.1:x', '"[::1"', '0x0a.1.1.1'])
      assert.equal(await status('/inside', nonsense), 403, nonsense)
    assert.equal(await status('/open', '11.1.1.1'), 200)
    assert.equal(target.seen.length, 3)
    assert.deepEqual(ran.filter((name) => name === 'late').length, 3)
    const response = await app.inject({
      url: '/inside',
      remoteAddress: '192.0.2.1',
      headers: { 'x-forwarded-for': '10.1.1.1' },
    })
    assert.equal(response.statusCode, 403)
    assert.equal(response.json().code, 'GTW_ADDRESS_DENIED')
  })

  it('has one for all: routes, its own endpoints, preflights, and paths that lead nowhere', async (t) => {
    const { app, target, ran, status } = await setup(t, { addresses: { deny: ['203.0.113.0/24'] } })
    const preflight = {
      method: 'OPTIONS',
      origin: 'https://a.example',
      'access-control-request-method': 'GET',
    }
    for (const url of ['/inside', '/open', '/livez', '/readyz', '/nowhere', '/a%00b']) {
      assert.equal(await status(url, '203.0.113.9'), 403, url)
      assert.equal(await status(url, '203.0.113.9', preflight), 403, url)
    }
    assert.deepEqual([target.seen.length, ran], [0, []])
    assert.deepEqual(
      [
        await status('/open', '10.0.0.1'),
        await status('/livez', '10.0.0.1'),
        await status('/nowhere', '10.0.0.1'),
      ],
      [200, 200, 404],
    )
    // Both have to let it in.
    assert.equal(await status('/inside', '11.0.0.1'), 403)
    const found: Record<string, number> = {}
    app.upstreams.collectors
      .find(({ name }) => name === 'address_denials_total')
      ?.collect((value, route) => {
        found[route as string] = value
      })
    assert.deepEqual(found, { '*': 12, inside: 1 })
  })

  it('does not start with a rule that means nothing', async () => {
    const config = (addresses: object) => ({
      upstreams: { users: { targets: [{ origin: 'http://127.0.0.1:9' }] } },
      routes: [{ path: '/', upstream: 'users', addresses }],
    })
    await assert.rejects(buildGateway(config({})), /routes\[0\]\.addresses: lets everybody in/)
    await assert.rejects(buildGateway(config({ allow: [] })), /allow: needs at least one address/)
    await assert.rejects(
      buildGateway(config({ deny: ['10.0.0.0/33'] })),
      /is no address or range; write "10\.0\.0\.1"/,
    )
  })
})
