import assert from 'node:assert/strict'
import { type AddressInfo, createServer } from 'node:net'
import { test } from 'node:test'
import { ownHosts } from '../../plugins/admin/own-host.ts'
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
  // Something on the way has made one slash of two.
  const tidied = await admin.inject({ method: 'DELETE', url: '/upstreams/u/targets/http:/127.0.0.1:1' })
  assert.match(tidied.json().detail, /no target of "u".*GET \/upstreams\/u .*percent-encoded.*http%3A%2F%2F/)
  const nothing = await admin.inject('/nothing')
  assert.deepEqual([nothing.statusCode, nothing.json().title], [404, 'GTW_NOT_FOUND'])
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
  assert.match(refused?.json().detail, /"evil\.example:9901"; name it in admin\.hosts/)
  const isOwn = ownHosts(['127.0.0.1', 'Ops.internal'])
  for (const host of ['[::1]:9901', 'ops.internal', 'OPS.internal.:80', 'localhost:1', '10.0.0.1'])
    assert.ok(isOwn(host), host)
  for (const host of ['', 'ops.internal.evil', 'x.ops.internal', 'localhost.evil:9901', '127.0.0.1.evil'])
    assert.ok(!isOwn(host), host)
})

test('Prometheus could not scrape it by the name of its container', async (t) => {
  const app = await buildGateway({ ...one, admin: { port: 9901, hosts: ['gateway-1'] } })
  t.after(() => app.close())
  await app.ready()
  const scraped = await app.admin?.inject({ url: '/metrics', headers: { host: 'gateway-1:9901' } })
  assert.equal(scraped?.statusCode, 200)
  await assert.rejects(
    buildGateway({ ...one, admin: { port: 9901, hosts: ['gateway-1:9901'] } }),
    /gateway-1"/,
  )
})

test('changes of targets left no trace: who made them, and that none was left', async (t) => {
  const lines: Record<string, unknown>[] = []
  const app = await buildGateway(
    { ...one, admin: { port: 9901 } },
    { log: (line) => lines.push(JSON.parse(line)) },
  )
  t.after(() => app.close())
  await app.ready()
  const admin = app.admin as NonNullable<typeof app.admin>
  const send = async (method: 'POST' | 'PATCH' | 'DELETE', path: string, payload?: object) => {
    const response = await admin.inject({
      method,
      url: `/upstreams/u/targets${path}`,
      ...(payload && { payload }),
    })
    return response.statusCode
  }
  const first = '/http://127.0.0.1:1'
  const added = { origin: 'http://127.0.0.1:2', weight: 2, tier: 1, zone: 'b' }
  assert.equal(await send('POST', '', added), 201)
  const [{ targets }] = (await admin.inject('/upstreams')).json()
  assert.equal(targets[1].zone, 'b')
  assert.equal(await send('PATCH', first, { weight: 5 }), 200)
  // As in the config: sums of larger ones would be no numbers any more.
  assert.equal(await send('PATCH', first, { weight: 1.7e308 }), 400)
  assert.equal(await send('POST', '', { origin: 'http://127.0.0.1:3', weight: 1_000_001 }), 400)
  assert.equal(await send('PATCH', first, { draining: true }), 200)
  assert.equal(await send('PATCH', first, { draining: false }), 200)
  assert.equal(await send('DELETE', first), 202)
  assert.equal(await send('DELETE', '/http%3A%2F%2F127.0.0.1%3A2'), 202)
  assert.equal(await send('DELETE', first), 404)
  const told = lines.filter(({ by }) => by === 'admin')
  assert.deepEqual(
    told.map(({ msg, target, why, level }) => [msg, target, why, level]),
    [
      ['target-added', 'http://127.0.0.1:2', 'by 127.0.0.1, with weight 2 in tier 1', 30],
      ['weight-set', 'http://127.0.0.1:1', 'by 127.0.0.1, from 1 to 5', 30],
      ['target-draining', 'http://127.0.0.1:1', 'by 127.0.0.1', 30],
      ['target-taken-back', 'http://127.0.0.1:1', 'by 127.0.0.1', 30],
      ['target-draining', 'http://127.0.0.1:1', 'by 127.0.0.1, to be removed', 30],
      ['target-removed', 'http://127.0.0.1:1', 'by 127.0.0.1', 30],
      ['target-draining', 'http://127.0.0.1:2', 'by 127.0.0.1, to be removed; no target is left', 40],
      ['target-removed', 'http://127.0.0.1:2', 'by 127.0.0.1; no target is left', 40],
    ],
  )
  // Whatever was asked for, of whichever plugin: those that were refused too.
  assert.deepEqual(
    lines
      .filter(({ msg }) => msg === 'admin request')
      .map(({ method, status, client }) => [method, status, client]),
    [
      ['POST', 201, '127.0.0.1'],
      ...[200, 400].map((status) => ['PATCH', status, '127.0.0.1']),
      ['POST', 400, '127.0.0.1'],
      ...[200, 200].map((status) => ['PATCH', status, '127.0.0.1']),
      ...[202, 202, 404].map((status) => ['DELETE', status, '127.0.0.1']),
    ],
  )
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
