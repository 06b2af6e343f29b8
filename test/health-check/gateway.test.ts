import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Target } from '../../plugins/upstreams/contract.ts'
import type { UpstreamEvent } from '../../plugins/upstreams/events.ts'
import { buildGateway } from '../support/gateway.ts'
import { deadOrigin, startTarget, type TestTarget } from '../support/target.ts'
import { until } from '../support/until.ts'
import { ask, gatewayTo } from '../transport/support.ts'
import { authority, http2Server, listening, own } from './support.ts'

const QUICK = { interval: '40ms', timeout: '1s', fastInterval: '20ms' }

/** A target that is well or not as `state` says, and tells checks from requests. */
async function switchable(t: Parameters<typeof startTarget>[0]) {
  const state = { status: 200 }
  const target = await startTarget(t, ({ url }, response) => {
    if (url === '/healthz') response.statusCode = state.status
    response.end(String(target.port))
  })
  const requests = () => target.seen.filter(({ url }) => url !== '/healthz').length
  const checks = () => target.seen.filter(({ url }) => url === '/healthz').length
  return { ...target, state, requests, checks }
}

/** A gateway that checks these targets, and the events of it so far. */
async function checking(
  t: Parameters<typeof startTarget>[0],
  origins: readonly string[],
  { healthCheck = {}, upstream = {}, server = {} }: Record<string, object> = {},
) {
  const events: UpstreamEvent[] = []
  const gateway = await gatewayTo(t, origins, {
    upstream: { healthCheck: { ...QUICK, ...healthCheck }, panicThreshold: 0, ...upstream },
    server,
    use: async (app) => app.upstreams.onEvent((event) => events.push(event)),
  })
  const main = gateway.app.upstreams.upstream('main')
  const told = (name: string) => events.filter((event) => event.by === 'health-check' && event.name === name)
  return { ...gateway, main, events, told }
}

const originOf = (target: Target | undefined): string | undefined => target?.origin
const origins = (targets: readonly TestTarget[]): string[] => targets.map(({ origin }) => origin)

test('no request goes to a target before its first check has passed', async (t) => {
  let pass = (): void => {}
  const slow = await startTarget(t, ({ url }, response) => {
    if (url !== '/healthz') return response.end('slow')
    pass = () => response.end()
  })
  const quick = await startTarget(t, (_seen, response) => response.end('quick'))
  const gateway = await checking(t, origins([slow, quick]), { healthCheck: { timeout: '5s' } })
  await until('the quick one', () => gateway.told('healthy').length === 1)
  for (let i = 0; i < 6; i++) assert.equal((await ask(gateway.port)).body.toString(), 'quick')
  pass()
  await until('the slow one', () => gateway.told('healthy').length === 2)
  const bodies = new Set<string>()
  for (let i = 0; i < 4; i++) bodies.add((await ask(gateway.port)).body.toString())
  assert.deepEqual([...bodies].toSorted(), ['quick', 'slow'])
})

test('health is set aside for targets that fail, not for those that nothing is known of yet', async (t) => {
  const silent = await startTarget(t, ({ url }, response) => {
    if (url !== '/healthz') response.end()
  })
  const sick = await switchable(t)
  sick.state.status = 500
  const panic = { panicThreshold: 0.5 }
  const unknown = await checking(t, [silent.origin], { healthCheck: { timeout: '5s' }, upstream: panic })
  const failing = await checking(t, [sick.origin], { upstream: panic })
  await until('the verdict', () => failing.told('unhealthy').length === 1)
  assert.equal((await ask(failing.port)).status, 200)
  assert.equal((await ask(unknown.port)).status, 503)
})

test('a target that fails its checks gets no requests, comes back, and each turn is told once', async (t) => {
  const targets = [await switchable(t), await switchable(t)] as const
  const [sick, well] = targets
  const gateway = await checking(t, origins(targets))
  await until('both', () => gateway.told('healthy').length === 2)
  assert.deepEqual(
    gateway.told('healthy').map(({ why, level }) => [why, level]),
    Array(2).fill(['1 check passed', 'info']),
  )
  sick.state.status = 500
  await until('the fall', () => gateway.told('unhealthy').length > 0)
  const before = sick.requests()
  for (let i = 0; i < 6; i++) assert.equal((await ask(gateway.port)).body.toString(), String(well.port))
  assert.equal(sick.requests(), before)
  sick.state.status = 204
  await until('the rise', () => gateway.told('healthy').length > 2)
  for (let i = 0; i < 2; i++) assert.equal((await ask(gateway.port)).status, 200)
  assert.equal(sick.requests(), before + 1)
  await sleep(100)
  const [down, ...more] = gateway.told('unhealthy')
  assert.deepEqual(more, [])
  assert.deepEqual(
    [originOf(down?.target), down?.why, down?.level, down?.upstream],
    [sick.origin, '3 checks failed: status 500', 'warn', 'main'],
  )
  assert.deepEqual(
    gateway
      .told('healthy')
      .slice(2)
      .map(({ target, why }) => [originOf(target), why]),
    [[sick.origin, '2 checks passed']],
  )
})

test('a dead target is unhealthy after one check, and back soon after it has come up', async (t) => {
  const origin = await deadOrigin()
  const gateway = await checking(t, [origin])
  await until('the verdict', () => gateway.told('unhealthy').length === 1)
  assert.match(gateway.told('unhealthy')[0]?.why ?? '', /^1 check failed: connect ECONNREFUSED /)
  assert.equal((await ask(gateway.port)).status, 503)
  const server = http.createServer((_request, response) => response.end('back'))
  server.listen(Number(new URL(origin).port), '127.0.0.1')
  t.after(() => server.close())
  await until('the rise', () => gateway.told('healthy').length === 1)
  assert.equal((await ask(gateway.port)).body.toString(), 'back')
})

test('targets with TLS and on unix sockets are reached as the transport reaches them', async (t) => {
  const hosts: unknown[] = []
  const answer: http.RequestListener = (request, response) => {
    hosts.push(request.headers.host)
    response.end()
  }
  const secure = await listening(t, https.createServer({ cert: own.cert, key: own.key }, answer))
  const path = join(tmpdir(), `holdfast-health-${process.pid}.sock`)
  const unix = http.createServer(answer).listen(path)
  t.after(() => {
    unix.closeAllConnections()
    unix.close()
    rmSync(path, { force: true })
  })
  const origins = [`https://localhost:${secure}`, `unix:${path}`]
  const gateway = await checking(t, origins, { upstream: { tls: { ca: authority.cert } } })
  await until('both', () => gateway.told('healthy').length === 2)
  assert.ok(hosts.includes(`localhost:${secure}`) && hosts.includes('localhost'), String(hosts))
  const untrusted = await checking(t, origins.slice(0, 1))
  await until('the verdict', () => untrusted.told('unhealthy').length === 1)
  assert.match(untrusted.told('unhealthy')[0]?.why ?? '', /certificate/)
})

test('a target that is added is checked at once, one that is removed no more; a draining one still is', async (t) => {
  const [first, second] = [await switchable(t), await switchable(t)]
  const gateway = await checking(t, [first.origin], { healthCheck: { interval: '60ms' } })
  await until('the first', () => gateway.told('healthy').length === 1)
  const added = gateway.main.add({ origin: second.origin })
  assert.ok(!gateway.main.eligible().includes(added))
  await until('the second', () => gateway.told('healthy').length === 2)
  await gateway.main.drain(added)
  const before = second.checks()
  await until('more checks of the draining one', () => second.checks() > before + 1)
  await gateway.main.remove(added)
  await sleep(30)
  const after = second.checks()
  await sleep(200)
  assert.equal(second.checks(), after)
})

test('checks go on while the gateway drains, and end when it has closed', async (t) => {
  const target = await switchable(t)
  const gateway = await checking(t, [target.origin], { server: { drain: '1500ms' } })
  await until('the first check', () => gateway.told('healthy').length === 1)
  const closed = gateway.app.close()
  await sleep(50)
  const before = target.checks()
  target.state.status = 500
  await until('the fall', () => gateway.told('unhealthy').length === 1)
  assert.ok(target.checks() >= before + 3)
  await closed
  const after = target.checks()
  await sleep(150)
  assert.equal(target.checks(), after)
})

test('an app that only injects checks nobody', async (t) => {
  const target = await switchable(t)
  const app = await buildGateway({
    upstreams: { main: { targets: [{ origin: target.origin }], healthCheck: QUICK } },
    routes: [{ path: '/*', upstream: 'main' }],
  })
  t.after(() => app.close())
  assert.equal((await app.inject('/livez')).statusCode, 200)
  await sleep(100)
  assert.equal(target.seen.length, 0)
})

test('where targets speak HTTP/2 they are asked in it', async (t) => {
  const asked: unknown[] = []
  const server = http2Server((stream, headers) => {
    asked.push(headers[':path'])
    stream.respond({ ':status': 200 })
    stream.end()
  })
  const origin = `http://127.0.0.1:${await listening(t, server)}`
  const gateway = await checking(t, [origin], { upstream: { http2: true } })
  await until('the verdict', () => gateway.told('healthy').length === 1)
  assert.equal(asked[0], '/healthz')
})

test('checks go to the other port where there is one', async (t) => {
  const [target, side] = [await switchable(t), await switchable(t)]
  const gateway = await checking(t, [target.origin], { healthCheck: { port: side.port } })
  await until('the verdict', () => gateway.told('healthy').length === 1)
  assert.equal(side.seen[0]?.headers.host, `127.0.0.1:${side.port}`)
  assert.equal(target.checks(), 0)
})
