/** A request's way through the hooks, as the README gives it. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { buildGateway } from './support/gateway.ts'
import { ownHouse, startProcess } from './support/process.ts'
import { startTarget } from './support/target.ts'

/** What a plugin finds on a request at one point of its way. */
function found(request: FastifyRequest) {
  const { gateway } = request.routeOptions.config
  return {
    url: request.url,
    params: { ...(request.params as object) },
    route: gateway?.name,
    upstream: gateway?.config.upstream,
    exchange: request.exchange === null ? null : request.exchange.attempts.length,
  }
}

async function observed(t: Parameters<typeof startTarget>[0], status = 200) {
  const target = await startTarget(t, (_seen, response) => {
    response.statusCode = status
    response.setHeader('x-from', 'target')
    response.end('body')
  })
  const way: { at: string; is: ReturnType<typeof found> }[] = []
  const more: Record<string, unknown> = {}
  const probe = fp(
    async (app: FastifyInstance) => {
      const note = (at: string, request: FastifyRequest) => way.push({ at, is: found(request) })
      app.addHook('onRequest', async (request, reply) => {
        note('onRequest', request)
        // Set by the access log, which is before everyone.
        more.requestId = reply.getHeader('x-request-id')
        more.body = request.body
      })
      app.addHook('preHandler', async (request) => note('preHandler', request))
      app.addHook('onSend', async (request, reply, payload) => {
        note('onSend', request)
        more.status = reply.statusCode
        more.from = reply.getHeader('x-from')
        return payload
      })
      app.addHook('onResponse', async (request) => {
        note('onResponse', request)
        more.attempts = request.exchange?.attempts.map(({ outcome, decision }) => [outcome?.kind, decision])
        more.inflight = request.exchange?.attempts[0]?.target.inflight
      })
    },
    { name: 'probe', dependencies: ['routing'] },
  )
  const app = await buildGateway(
    {
      upstreams: { users: { targets: [{ origin: target.origin }], failover: { retries: 0 } } },
      routes: [
        { name: 'one user', path: '/users/:id', upstream: 'users', rewrite: '/v2/:id' },
        { name: 'own', path: '/own', respond: { status: 418, body: 'teapot' } },
      ],
    },
    { use: async (fastify) => void (await fastify.register(probe)) },
  )
  t.after(() => app.close())
  return { app, way, more, target }
}

describe('a request’s way', () => {
  it('goes through the hooks in this order, and at each a plugin finds what it needs', async (t) => {
    const { app, way, more, target } = await observed(t)
    const response = await app.inject('/a/..//users/./%34%32?q=1')
    assert.equal(response.statusCode, 200)
    assert.deepEqual(
      way.map(({ at }) => at),
      ['onRequest', 'preHandler', 'onSend', 'onResponse'],
    )
    // The canonical path from the first hook on, and not the number by which Fastify was told of the route.
    const before = { url: '/users/42?q=1', params: { id: '42' }, route: 'one user', upstream: 'users' }
    assert.deepEqual(way[0]?.is, { ...before, exchange: null })
    assert.deepEqual(way[1]?.is, { ...before, exchange: null })
    assert.deepEqual(way[2]?.is, { ...before, exchange: 1 })
    assert.deepEqual(way[3]?.is, { ...before, exchange: 1 })
    assert.equal(target.seen[0]?.url, '/v2/42?q=1')
    assert.match(String(more.requestId), /.+/)
    assert.equal(more.body, undefined, 'no body has been read in onRequest')
    assert.deepEqual([more.status, more.from], [200, 'target'])
    assert.deepEqual(more.attempts, [['answered', 'commit']])
    assert.equal(more.inflight, 0, 'the lease is released before onResponse')
  })

  it('is the same for an answer of the gateway’s own, without an exchange', async (t) => {
    const { app, way, more } = await observed(t)
    assert.equal((await app.inject('/own')).statusCode, 418)
    assert.deepEqual(
      way.map(({ at, is }) => [at, is.route, is.exchange]),
      ['onRequest', 'preHandler', 'onSend', 'onResponse'].map((at) => [at, 'own', null]),
    )
    assert.equal(more.status, 418)
  })

  it('of a request that no route takes ends in routing: no hook after it sees an unrouted path', async (t) => {
    const { app, way } = await observed(t)
    const refused = await app.inject('/nothing')
    assert.equal(refused.statusCode, 404)
    assert.match(String(refused.headers['x-request-id']), /.+/, 'the access log comes before: it is logged')
    assert.equal((await app.inject('/users/%00')).statusCode, 400)
    assert.equal((await app.inject({ method: 'DELETE', url: '/own', headers: {} })).statusCode, 418)
    assert.deepEqual(
      way.slice(0, 4).map(({ at }) => at),
      ['onSend', 'onResponse', 'onSend', 'onResponse'],
    )
  })

  it('ends where a hook answers: the target is not asked', async (t) => {
    const { app, way, target } = await observed(t)
    app.addHook('onRequest', async (_request, reply) => reply.code(401).send('no'))
    assert.equal((await app.inject('/users/1')).statusCode, 401)
    assert.deepEqual(
      way.map(({ at }) => at),
      ['onRequest', 'onSend', 'onResponse'],
    )
    assert.equal(target.seen.length, 0)
  })
})

/**
 * autoload orders by `dependencies` and, where they say nothing, by the name of the file. So a plugin is
 * certain to run after the routing if it says `dependencies: ['routing']`: it then meets only requests that a
 * route takes. One that does not may run before it, and meets those too that are refused a moment later; but
 * path, parameters and route are right for both, since a guard must never be shown a path of our own.
 */
describe('a plugin dropped into plugins/', () => {
  const LIMIT = { timeout: 30_000 }
  const plugin = (more: string) => `
    import fp from 'fastify-plugin'
    export default fp(async (app) => {
      app.decorateRequest('mark', 'marked')
      app.addHook('onRequest', async (request, reply) => {
        const route = request.routeOptions.config.gateway?.name ?? 'none'
        reply.header('x-seen', [request.url, request.params.id ?? '-', route, request.mark].join(' '))
      })
    }, { name: 'aaa'${more} })`

  /** What such a plugin sees of a request that a route takes, and of one that none does. */
  async function seen(t: Parameters<typeof startTarget>[0], more: string): Promise<(string | null)[]> {
    const target = await startTarget(t)
    const folder = await ownHouse(t)
    writeFileSync(join(folder, 'plugins/aaa.ts'), plugin(more))
    const config = `export default {
      upstreams: { users: { targets: [{ origin: '${target.origin}' }] } },
      routes: [{ path: '/users/:id', upstream: 'users' }],
    }`
    const { url, output } = await startProcess(t, { folder, config })
    const taken = await fetch(`${url}//users/%37`)
    assert.equal(taken.status, 200, output())
    const refused = await fetch(`${url}/nowhere?x=1`)
    assert.equal(refused.status, 404)
    return [taken, refused].map(({ headers }) => headers.get('x-seen'))
  }

  it('runs after the routing if it depends on it, whatever its name', LIMIT, async (t) => {
    assert.deepEqual(await seen(t, ", dependencies: ['routing']"), ['/users/7 7 /users/:id marked', null])
  })

  it('may run before it if it does not, and finds the same path and parameters', LIMIT, async (t) => {
    assert.deepEqual(await seen(t, ''), ['/users/7 7 /users/:id marked', '/nowhere?x=1 - none marked'])
  })
})
