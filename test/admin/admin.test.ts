import assert from 'node:assert/strict'
import { type AddressInfo, createServer } from 'node:net'
import { test } from 'node:test'
import { isOwnHost } from '../../plugins/admin/own-host.ts'
import { buildGateway } from '../support/gateway.ts'
import { freePort } from '../support/ports.ts'
import { startTarget } from '../support/target.ts'

const one = {
  upstreams: { u: { targets: [{ origin: 'http://127.0.0.1:1' }] } },
  routes: [{ path: '/*', upstream: 'u' }],
}

test('targets are listed, added, re-weighted, drained and removed', async (t) => {
  const target = await startTarget(t)
  const app = await buildGateway({ ...one, admin: { port: 9901 } })
  t.after(() => app.close())
  await app.ready()
  const admin = app.admin as NonNullable<typeof app.admin>
  const id = encodeURIComponent(target.origin)

  const added = await admin.inject({
    method: 'POST',
    url: '/upstreams/u/targets',
    payload: { origin: target.origin, weight: 2 },
  })
  assert.equal(added.statusCode, 201)
  assert.equal((await app.inject('/')).statusCode, 200)

  const twice = await admin.inject({
    method: 'POST',
    url: '/upstreams/u/targets',
    payload: { origin: target.origin },
  })
  assert.equal(twice.statusCode, 400)
  assert.match(twice.json().detail, /already/)

  const changed = await admin.inject({
    method: 'PATCH',
    url: `/upstreams/u/targets/${id}`,
    payload: { weight: 7, draining: true },
  })
  assert.deepEqual([changed.json().weight, changed.json().draining, changed.json().usable], [7, true, false])
  await admin.inject({ method: 'PATCH', url: `/upstreams/u/targets/${id}`, payload: { draining: false } })

  const removed = await admin.inject({
    method: 'DELETE',
    url: '/upstreams/u/targets/http%3A%2F%2F127.0.0.1%3A1',
  })
  assert.equal(removed.statusCode, 202)
  const listed = (await admin.inject('/upstreams')).json()
  assert.deepEqual(
    listed[0].targets.map(({ origin }: { origin: string }) => origin),
    [target.origin],
  )
})

test('what is not there is 404 and what is wrong is 400, with the reason', async (t) => {
  const app = await buildGateway({ ...one, admin: { port: 9901 } })
  t.after(() => app.close())
  await app.ready()
  const admin = app.admin as NonNullable<typeof app.admin>
  assert.equal((await admin.inject('/upstreams/nobody')).statusCode, 404)
  assert.equal((await admin.inject({ method: 'DELETE', url: '/upstreams/u/targets/x' })).statusCode, 404)
  for (const payload of [{ origin: 'ftp://a' }, { origin: 'http://a:1', wieght: 2 }, {}]) {
    const response = await admin.inject({ method: 'POST', url: '/upstreams/u/targets', payload })
    assert.equal(response.statusCode, 400, JSON.stringify(payload))
  }
})

test('the admin endpoints are not on the public port', async (t) => {
  const app = await buildGateway({ ...one, routes: [], admin: { port: 9901 } })
  t.after(() => app.close())
  assert.equal((await app.inject('/upstreams')).statusCode, 404)
})

test('a page that was rebound to loopback is refused by its Host', async (t) => {
  const app = await buildGateway({ ...one, admin: { port: 9901 } })
  t.after(() => app.close())
  await app.ready()
  const refused = await app.admin?.inject({ url: '/upstreams', headers: { host: 'evil.example:9901' } })
  assert.equal(refused?.statusCode, 403)
  assert.ok(isOwnHost('[::1]:9901', '127.0.0.1') && isOwnHost('Ops.internal', 'ops.internal'))
})

test('a used admin port stops the start, with its path and remedy, and leaves nothing open', async (t) => {
  const blocker = createServer().listen(await freePort(), '127.0.0.1')
  t.after(() => blocker.close())
  await new Promise((resolve) => blocker.once('listening', resolve))
  const { port } = blocker.address() as AddressInfo
  const app = await buildGateway({ ...one, server: { drain: 0 }, admin: { port } })
  await assert.rejects(app.listen({ port: 0, host: '127.0.0.1' }), {
    message: new RegExp(
      `^admin\\.port: port ${port} on 127\\.0\\.0\\.1 is taken; stop what listens there .* or choose another$`,
    ),
  })
  assert.equal(app.server.listening, false)
  await app.close()
})

test('the admin listener writes nothing of who looks at it: scrapes would be most of the log', async (t) => {
  const lines: string[] = []
  const app = await buildGateway({ ...one, admin: { port: 9901 } }, { log: (line) => lines.push(line) })
  t.after(() => app.close())
  await app.ready()
  assert.equal((await (app.admin as NonNullable<typeof app.admin>).inject('/upstreams')).statusCode, 200)
  assert.deepEqual(
    lines.filter((line) => line.includes('/upstreams') || line.includes('request completed')),
    [],
  )
})
