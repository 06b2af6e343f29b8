import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { GatewayError } from '../../plugins/upstreams/errors.ts'
import { buildGateway } from '../support/gateway.ts'
import { startTarget } from '../support/target.ts'

type GuardSpec = Parameters<FastifyInstance['addGuard']>[0]

async function guarded(t: Parameters<typeof startTarget>[0], guards: readonly GuardSpec[]) {
  const target = await startTarget(t)
  const app = await buildGateway(
    {
      upstreams: { users: { targets: [{ origin: target.origin }] } },
      routes: [
        { name: 'guarded', path: '/guarded', methods: ['GET', 'PUT'], upstream: 'users' },
        { name: 'open', path: '/open', upstream: 'users' },
      ],
    },
    {
      use: async (fastify) => {
        for (const guard of guards) fastify.addGuard(guard)
      },
    },
  )
  t.after(() => app.close())
  return { app, target }
}

const refusal = new GatewayError('GTW_FORBIDDEN', 403, 'client', 'no')
const PREFLIGHT = { origin: 'https://a.example', 'access-control-request-method': 'PUT' }

describe('guards', () => {
  it('run by stage and not by the order in which they came, and only on their routes', async (t) => {
    const ran: string[] = []
    const note = (stage: GuardSpec['stage'], waits: boolean): GuardSpec => ({
      name: stage,
      stage,
      forRoute: ({ name }) => {
        if (name !== 'guarded') return undefined
        return waits ? async () => void ran.push(stage) : () => void ran.push(stage)
      },
    })
    const { app, target } = await guarded(t, [
      note('limit-by-identity', false),
      note('authorize', true),
      note('address', false),
      note('authenticate', true),
      note('limit-by-address', false),
      note('cors', false),
    ])
    assert.equal((await app.inject('/open')).statusCode, 200)
    assert.deepEqual(ran, [])
    assert.equal((await app.inject('/guarded')).statusCode, 200)
    assert.deepEqual(ran, [
      'cors',
      'address',
      'limit-by-address',
      'authenticate',
      'authorize',
      'limit-by-identity',
    ])
    assert.equal(target.seen.length, 2)
  })

  for (const [how, guard] of Object.entries({
    throws: () => {
      throw refusal
    },
    rejects: () => Promise.reject(refusal),
  })) {
    it(`one that ${how} ends the request: no later guard runs, nothing is forwarded`, async (t) => {
      let later = 0
      const { app, target } = await guarded(t, [
        { name: 'later', stage: 'authorize', forRoute: () => () => void later++ },
        { name: 'first', stage: 'authenticate', forRoute: () => guard },
      ])
      const response = await app.inject('/guarded')
      assert.equal(response.statusCode, 403)
      assert.equal(response.json().code, 'GTW_FORBIDDEN')
      assert.deepEqual([later, target.seen.length], [0, 0])
    })
  }

  it('one that is broken lets nobody through', async (t) => {
    const { app, target } = await guarded(t, [
      { name: 'odd', stage: 'authenticate', forRoute: () => () => Promise.reject('not even an error') },
      {
        name: 'broken',
        stage: 'address',
        forRoute: ({ name }) =>
          name === 'open'
            ? () => {
                throw new TypeError('a bug')
              }
            : undefined,
      },
    ])
    for (const path of ['/guarded', '/open']) {
      const response = await app.inject(path)
      assert.equal(response.statusCode, 500, path)
      assert.doesNotMatch(response.body, /not even|a bug/)
    }
    assert.equal(target.seen.length, 0)
  })

  it('one that says no by what it returns is broken, and not a yes', async (t) => {
    const { app, target } = await guarded(t, [
      { name: 'odd', stage: 'authorize', forRoute: () => (() => false) as never },
    ])
    assert.equal((await app.inject('/open')).statusCode, 500)
    assert.equal(target.seen.length, 0)
  })

  it('one that answers by itself is the last', async (t) => {
    const { app, target } = await guarded(t, [
      { name: 'own', stage: 'address', forRoute: () => (_request, reply) => void reply.code(204).send() },
      { name: 'own later', stage: 'authorize', forRoute: () => () => assert.fail('ran') },
    ])
    assert.equal((await app.inject('/guarded')).statusCode, 204)
    assert.equal(target.seen.length, 0)
  })

  it('one that comes when the server is ready is refused', async (t) => {
    const { app } = await guarded(t, [])
    await app.ready()
    assert.throws(
      () => app.addGuard({ name: 'late', stage: 'authorize', forRoute: () => undefined }),
      /"late" comes too late/,
    )
  })

  it('a preflight goes to the route of the method that it asks for, if a guard answers those', async (t) => {
    const { app, target } = await guarded(t, [
      {
        name: 'preflights',
        stage: 'cors',
        answersPreflight: ({ name }) => name === 'guarded',
        forRoute: () => (request, reply) => {
          if (request.method === 'OPTIONS') reply.code(204).header('x-preflight', 'yes').send()
        },
      },
    ])
    const asked = await app.inject({ method: 'OPTIONS', url: '/guarded', headers: PREFLIGHT })
    assert.deepEqual([asked.statusCode, asked.headers['x-preflight']], [204, 'yes'])
    const other = { ...PREFLIGHT, 'access-control-request-method': 'DELETE' }
    assert.equal((await app.inject({ method: 'OPTIONS', url: '/guarded', headers: other })).statusCode, 405)
    assert.equal((await app.inject({ method: 'OPTIONS', url: '/guarded' })).statusCode, 405, 'no preflight')
    assert.equal(target.seen.length, 0)
  })

  it('a preflight that is left unanswered is not forwarded', async (t) => {
    const { app, target } = await guarded(t, [
      { name: 'silent', stage: 'cors', answersPreflight: () => true, forRoute: () => () => {} },
    ])
    const asked = await app.inject({ method: 'OPTIONS', url: '/guarded', headers: PREFLIGHT })
    assert.equal(asked.statusCode, 405)
    assert.equal(target.seen.length, 0)
  })

  it('take parameters out of queries, of secrets before anybody sees them and by their own paths too', async (t) => {
    const target = await startTarget(t)
    const taken: (readonly string[])[] = []
    const seen: unknown[] = []
    const lines: string[] = []
    const app = await buildGateway(
      {
        upstreams: { users: { targets: [{ origin: target.origin }] } },
        routes: [
          { path: '/livez', endpoint: true },
          { path: '/*', upstream: 'users' },
        ],
      },
      {
        log: (line) => lines.push(line),
        use: async (fastify) => {
          fastify.secretParameters.add('secret')
          fastify.addGuard({
            name: 'tickets',
            stage: 'authenticate',
            forRoute: () => (request) => {
              seen.push(request.query)
              taken.push(['secret', 'ticket'].flatMap((name) => request.takeQuery(name)))
              taken.push(request.takeQuery('secret'))
              assert.equal(request.url.includes('ticket') || request.originalUrl.includes('ticket'), false)
              assert.ok(request.sentTarget.includes('secret=a%20b'))
            },
          })
        },
      },
    )
    t.after(() => app.close())
    for (const path of ['/livez', '/x'])
      assert.equal((await app.inject(`${path}?secret=a%20b&x=1&ticket=c`)).statusCode, 200)
    assert.deepEqual(taken, [['a b', 'c'], ['a b'], ['a b', 'c'], ['a b']])
    assert.equal(JSON.stringify(seen).includes('a b'), false)
    assert.equal(target.seen[0]?.url, '/x?x=1')
    assert.deepEqual(
      lines.map((line) => JSON.parse(line).url).filter((url) => url !== undefined),
      ['/livez?x=1', '/x?x=1'],
    )
  })
})
