/** Clients that reset their connection right behind a request: who they were is known all the same. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import http from 'node:http'
import http2 from 'node:http2'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { createAuthority } from '../support/certificates.ts'
import { buildGateway } from '../support/gateway.ts'
import { END_HEADERS, END_STREAM, frame, HEADERS, SETTINGS } from '../support/http2-frames.ts'
import { freePort } from '../support/ports.ts'
import { startTarget } from '../support/target.ts'
import { gatewayTo, until } from './support.ts'

const authority = createAuthority()
const own = authority.issue('localhost', { names: ['IP:127.0.0.1'] })
const TLS = { cert: own.cert, key: own.key }

const IN_TEXT = 'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\na'
/** HPACK: `:method: POST`, `:scheme: http`, `:path: /`, `:authority: h`. */
const BLOCK = Buffer.from([0x83, 0x86, 0x84, 0x01, 1, 'h'.charCodeAt(0)])
const IN_FRAMES = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  frame(SETTINGS, 0, 0),
  frame(HEADERS, END_HEADERS | END_STREAM, 1, BLOCK),
])

/** Behind a client's address it is asked for in every way: by a rule, a trusted network, a limit. */
const GUARDS = {
  addresses: { deny: ['203.0.113.0/24'] },
  rateLimits: { trustedAddresses: ['10.0.0.0/8'], limits: [{ max: 1, per: '1h' }] },
  route: { addresses: { deny: ['203.0.113.7'] }, authorization: { when: "request.ip != '203.0.113.8'" } },
}

async function guarded(t: TestContext, server: object, more: object = {}) {
  const target = await startTarget(t)
  const lines: string[] = []
  const started = await gatewayTo(
    t,
    target.origin,
    { server, ...GUARDS, ...more },
    { log: (line) => lines.push(line) },
  )
  /** What the limit by address has said so far. */
  const decided = (): Record<string, number> => {
    const found: Record<string, number> = {}
    started.app.upstreams.collectors
      .find(({ name }) => name === 'rate_limit_decisions_total')
      ?.collect((value, _limit, _route, result) => {
        if (value > 0) found[result as string] = value
      })
    return found
  }
  const failures = (): string[] => lines.filter((line) => /GTW_INTERNAL|"level":50/.test(line))
  return { ...started, target, decided, failures }
}

/** Runs a client's script in a process of its own while this one stands still: all is over before it looks. */
function meanwhile(script: string, ...args: readonly string[]): void {
  execFileSync(process.execPath, ['-e', script, ...args], { timeout: 20_000 })
}

const WRITE_AND_RESET = `
  const [port, bytes] = process.argv.slice(1)
  const socket = require('node:net').connect(port, '127.0.0.1', () =>
    socket.write(Buffer.from(bytes, 'base64'), () => socket.resetAndDestroy()))`

for (const [name, server, bytes] of [
  ['HTTP/1.1', {}, Buffer.from(IN_TEXT)],
  ['HTTP/1.1 where HTTP/2 is served too', { http2: true }, Buffer.from(IN_TEXT)],
  ['HTTP/2', { http2: true }, IN_FRAMES],
] as const) {
  test(`fault: a request whose client has reset at once is nobody's, and served: ${name}`, async (t) => {
    const { app, port, url, target, decided, failures } = await guarded(t, server)
    let closed = 0
    app.server.on('connection', (socket) => socket.on('close', () => closed++))
    for (let i = 0; i < 3; i++) meanwhile(WRITE_AND_RESET, `${port}`, bytes.toString('base64'))
    await until(() => closed === 3, 'all of them are taken and gone')
    // Whoever comes now has all of the limit: nothing was charged, and nothing executed.
    assert.equal((await fetch(url)).status, 200)
    assert.equal(target.seen.length, 1)
    assert.deepEqual(decided(), { allowed: 1 })
    assert.deepEqual(failures(), [])
  })
}

// A handshake takes both sides: the connection stands, and then the request and the reset come at once.
const SHAKE_THEN_RESET = `
  const [port, bytes, protocol] = process.argv.slice(1)
  const net = require('node:net'), tls = require('node:tls')
  const socket = net.connect(port, '127.0.0.1')
  const secure = tls.connect({ socket, rejectUnauthorized: false, ALPNProtocols: [protocol] }, () => {
    process.stdout.write('ready')
    process.stdin.once('data', () =>
      secure.write(Buffer.from(bytes, 'base64'), () => setTimeout(() => { socket.resetAndDestroy(); process.exit() }, 100)))
  })
  secure.on('error', () => {})`

for (const [name, server, bytes, protocol] of [
  ['HTTP/1.1', { tls: TLS }, Buffer.from(IN_TEXT), 'http/1.1'],
  ['HTTP/1.1 where HTTP/2 is served too', { tls: TLS, http2: true }, Buffer.from(IN_TEXT), 'http/1.1'],
  ['HTTP/2', { tls: TLS, http2: true }, IN_FRAMES, 'h2'],
] as const) {
  test(`over TLS a request whose client resets behind it is that client’s: ${name}`, async (t) => {
    const { app, target, port, decided, failures } = await guarded(t, server)
    for (let i = 1; i <= 2; i++) {
      const taken = once(app.server, 'secureConnection')
      const client = spawn(
        process.execPath,
        ['-e', SHAKE_THEN_RESET, `${port}`, bytes.toString('base64'), protocol],
        { stdio: ['pipe', 'pipe', 'inherit'] },
      )
      t.after(() => client.kill('SIGKILL'))
      await Promise.all([taken, once(client.stdout, 'data')])
      client.stdin.end('go')
      // This process stands still until the client is gone for good.
      meanwhile(
        `const gone = () => { try { process.kill(+process.argv[1], 0)
            return require('node:fs').readFileSync('/proc/' + process.argv[1] + '/stat', 'utf8').includes(') Z ') }
          catch { return true } }
        while (!gone());`,
        `${client.pid}`,
      )
      await until(() => Object.values(decided()).reduce((sum, one) => sum + one, 0) === i, 'it was decided')
    }
    assert.deepEqual(decided(), { allowed: 1, refused: 1 })
    assert.ok(target.seen.length <= 1)
    assert.deepEqual(failures(), [])
  })
}

test('fault: a guard that waits loses the address of an HTTP/2 client that leaves meanwhile', async (t) => {
  for (const server of [{ http2: true }, { http2: true, tls: TLS }]) {
    const target = await startTarget(t)
    const seen: unknown[] = []
    let waiting = false
    const { url } = await gatewayTo(
      t,
      target.origin,
      { server },
      {
        use: async (fastify) => {
          fastify.addGuard({
            name: 'slow',
            stage: 'authenticate',
            forRoute: () => async (request) => {
              waiting = true
              await new Promise((resolve) => request.raw.on('close', resolve))
              await new Promise((resolve) => setImmediate(resolve))
              seen.push(request.ip, request.raw.socket.remoteAddress, request.protocol)
              request.raw.socket.once('close', () => {})
            },
          })
        },
      },
    )
    const client = http2.connect(server.tls ? url.replace('http:', 'https:') : url, { ca: authority.cert })
    client.on('error', () => {})
    client.request({ ':path': '/' }).on('error', () => {})
    await until(() => waiting, 'the guard waits')
    client.destroy()
    await until(() => seen.length === 3, 'the guard goes on')
    assert.deepEqual(seen, ['127.0.0.1', '127.0.0.1', server.tls ? 'https' : 'http'])
  }
})

test('fault: on a socket in the file system, where nobody has an address, rules of addresses fail', async (t) => {
  const target = await startTarget(t)
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-unix-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const config = {
    server: { drain: 0 },
    rateLimits: GUARDS.rateLimits,
    upstreams: { one: { targets: [{ origin: target.origin }] } },
    routes: [
      { path: '/open', upstream: 'one' },
      { path: '/ruled', upstream: 'one', addresses: { deny: ['203.0.113.7'] } },
      { path: '/judged', upstream: 'one', authorization: { when: "request.ip != '203.0.113.8'" } },
    ],
  }
  const statuses = async (more: object, ...paths: string[]): Promise<number[]> => {
    const app = await buildGateway({ ...config, ...more })
    t.after(() => void app.close())
    const socketPath = join(folder, `${await freePort()}`)
    await app.listen({ path: socketPath })
    const found: number[] = []
    for (const path of paths) {
      const [response] = await once(http.get({ socketPath, path, agent: false }), 'response')
      await buffer(response)
      found.push(response.statusCode)
    }
    return found
  }
  assert.deepEqual(await statuses({}, '/open', '/open'), [200, 429])
  assert.deepEqual(await statuses({ rateLimits: {} }, '/ruled', '/judged'), [403, 403])
  assert.deepEqual(await statuses({ addresses: { deny: ['203.0.113.7'] } }, '/open'), [403])
})
