/** Whatever a client sends, and wherever it stops: the process lives, and nothing of it stays. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import http2 from 'node:http2'
import { connect, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import tls from 'node:tls'
import type { FastifyInstance } from 'fastify'
import { createAuthority } from '../support/certificates.ts'
import { seededDice } from '../support/dice.ts'
import {
  DATA,
  END_HEADERS,
  END_STREAM,
  frame,
  GOAWAY,
  HEADERS,
  RST_STREAM,
  SETTINGS,
} from '../support/http2-frames.ts'
import { ownHouse, startProcess } from '../support/process.ts'
import { listen } from '../support/target.ts'
import { gatewayTo, inflight, until } from './support.ts'

const authority = createAuthority()
const own = authority.issue('localhost', { names: ['IP:127.0.0.1'] })
const KINDS = {
  'HTTP/1.1': {},
  'both in plain': { http2: true },
  TLS: { tls: { cert: own.cert, key: own.key } },
  'both over TLS': { http2: true, tls: { cert: own.cert, key: own.key } },
} as const

const closed = (socket: Socket): Promise<void> =>
  new Promise((resolve) => (socket.closed ? resolve() : void socket.once('close', () => resolve())))

const reset = (socket: Socket): void => {
  // With TLS there is no such thing.
  if (socket instanceof tls.TLSSocket) socket.destroy()
  else socket.resetAndDestroy()
}

/** Reads a body, or not, and answers at once, in pieces, late or not at all: as the path says. */
async function moodyTarget(t: TestContext) {
  const whole: string[] = []
  const target = await listen((request, response) => {
    const url = request.url ?? ''
    response.on('error', () => {})
    request.on('error', () => {})
    if (url.includes('deaf')) return void request.pause()
    if (url.includes('early')) response.end('early')
    request.resume()
    request.on('end', () => {
      whole.push(url)
      if (url.includes('never') || url.includes('early')) return
      if (url.includes('large')) return void response.end(Buffer.alloc(300_000))
      response.write('a')
      setTimeout(() => response.end('b'), 2)
    })
  })
  target.server.on('upgrade', (_request, socket: Socket) => {
    socket.on('error', () => {})
    socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\nhello')
    socket.on('end', () => socket.end()).resume()
  })
  t.after(() => target.close())
  return { ...target, whole }
}

const PATHS = [
  '/a',
  '/never',
  '/early',
  '/large',
  '/deaf',
  '/fixed',
  '/moved',
  '/livez',
  '/slow',
  '/none',
  '*',
]

async function gateway(t: TestContext, server: object) {
  const target = await moodyTarget(t)
  const started = await gatewayTo(
    t,
    target.origin,
    {
      server: { ...server, bodyLimit: 200_000 },
      upstream: { timeouts: { response: 500 }, failover: { retries: 0, hedge: false } },
      routes: [
        { path: '/fixed', respond: { status: 200, body: 'fixed' } },
        { path: '/moved', redirect: '/fixed' },
        { path: '/slow', name: 'slow', upstream: 'one' },
        { path: '/none', upstream: 'one', methods: ['GET'] },
        { path: '/*', upstream: 'one', upgrade: ['websocket'] },
      ],
    },
    {
      use: async (app: FastifyInstance) =>
        app.addGuard({
          name: 'ponders',
          stage: 'authenticate',
          forRoute: ({ name }) =>
            name === 'slow' ? () => new Promise<void>((resolve) => setTimeout(resolve, 5)) : undefined,
        }),
    },
  )
  const secure = 'tls' in server
  const dial = (ALPNProtocols?: string[]): Socket => {
    const socket = secure
      ? tls.connect({
          port: started.port,
          host: '127.0.0.1',
          ca: authority.cert,
          ...(ALPNProtocols && { ALPNProtocols }),
        })
      : connect(started.port, '127.0.0.1')
    return socket.on('error', () => {}).resume()
  }
  /** Everything has ended, and a request gets through as ever. */
  const settled = async (): Promise<void> => {
    let used = ''
    await until(() => {
      used = `${inflight(started.app)} ${bodyMemoryOf(started.app)}`
      return used === '0 0'
    }, 'nothing in flight, and no body in memory').catch((error) => {
      throw new Error(`${error.message}: ${used}`)
    })
    const socket = dial()
    let answer = ''
    socket.on('data', (chunk) => {
      answer += chunk
    })
    socket.write('GET /a HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n')
    await closed(socket)
    assert.match(answer, /^HTTP\/1\.1 200 /)
  }
  const open = (socket: Socket) => once(socket, secure ? 'secureConnect' : 'connect')
  return { ...started, target, dial, settled, open }
}

function bodyMemoryOf(app: FastifyInstance): number {
  let used = Number.NaN
  for (const { name, collect } of app.upstreams.collectors) {
    if (name === 'body_memory_bytes')
      collect((value) => {
        used = value
      })
  }
  return used
}

for (const [kind, server] of Object.entries(KINDS)) {
  test(`${kind}: CONNECT and versions that only a parser knows end no process`, async (t) => {
    const { dial, settled } = await gateway(t, server)
    for (const version of ['HTTP/2.0', 'HTTP/0.9', 'HTTP/1.1', 'HTTP/1.0']) {
      for (const method of ['CONNECT x:80', 'GET /a', 'POST /never', 'OPTIONS *', 'PRI *']) {
        const socket = dial()
        let answer = ''
        socket.on('data', (chunk) => {
          answer += chunk
        })
        socket.write(`${method} ${version}\r\nHost: x\r\nConnection: close\r\n\r\n`)
        await closed(socket)
        if (method.startsWith('CONNECT')) assert.match(answer, /^HTTP\/1\.1 501 .*problem\+json/s)
        else if (!/1\.[01]/.test(version) && !method.startsWith('PRI'))
          assert.match(answer, /^HTTP\/1\.1 505 .*problem\+json/s, `${method} ${version}`)
      }
    }
    await settled()
  })

  test(`${kind}: clients that leave at any point end no process and leave nothing behind`, async (t) => {
    const { dial, settled } = await gateway(t, server)
    const random = seededDice(20)
    const one = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)] as T
    const request = (): string => {
      const method = one(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PURGE', 'CONNECT', 'FOO'])
      const head = `${method} ${one(PATHS)} HTTP/${one(['1.1', '1.1', '1.1', '1.1', '1.0', '2.0'])}\r\n`
      const more = one(['', '', 'Expect: 100-continue\r\n', 'Expect: more\r\n', 'Connection: close\r\n'])
      const host = one(['Host: a\r\n', 'Host: a\r\n', 'Host: a\r\n', ''])
      const body = one([
        '\r\n',
        'Connection: upgrade\r\nUpgrade: websocket\r\n\r\nmore',
        'Content-Length: 5\r\n\r\n12345',
        `Content-Length: 100000\r\n\r\n${'x'.repeat(50_000)}`,
        'Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n',
        'Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
        `Transfer-Encoding: chunked\r\n\r\n${'8000\r\n'}${'x'.repeat(0x8000)}\r\n`.repeat(1),
        'Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
        'Transfer-Encoding: chunked\r\n\r\nzz\r\n',
      ])
      return head + host + more + body
    }
    const leave = (socket: Socket): void => {
      if (random() < 0.4) reset(socket)
      else if (random() < 0.5) socket.end()
      else socket.destroy()
      setTimeout(() => socket.destroy(), 700).unref()
    }
    const rounds = Array.from({ length: 240 }, async (_, i) => {
      // In waves: all at once, they would only wait for each other.
      await new Promise((resolve) => setTimeout(resolve, Math.floor(i / 20) * 25))
      const socket = dial()
      const bytes = Array.from({ length: one([1, 1, 2, 3, 8]) }, request).join('')
      const length = random() < 0.3 ? Math.floor(random() * bytes.length) : bytes.length
      socket.write(bytes.slice(0, length))
      const after = one([0, 0, 1, 3, 10, 30])
      if (after === 0) leave(socket)
      else setTimeout(leave, after, socket)
      await closed(socket)
    })
    await Promise.all(rounds)
    await settled()
  })
}

const WINDOW_UPDATE = 8
/** Names and values as they are (RFC 7541, 6.2.2). */
function block(headers: Readonly<Record<string, string>>): Buffer {
  const text = (value: string): Buffer => Buffer.concat([Buffer.from([value.length]), Buffer.from(value)])
  return Buffer.concat(
    Object.entries(headers).flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]),
  )
}
const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
const PREFACE = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  frame(SETTINGS, 0, 0, Buffer.alloc(0)),
])

for (const kind of ['both in plain', 'both over TLS'] as const) {
  test(`${kind}: streams reset as soon as they begin, whatever they ask for, end no process`, async (t) => {
    const { dial, settled, open } = await gateway(t, KINDS[kind])
    const sockets: Socket[] = []
    for (const method of ['GET', 'POST', 'OPTIONS', 'CONNECT', 'FOO']) {
      for (const expect of [undefined, '100-continue', 'more']) {
        const socket = dial(['h2'])
        sockets.push(socket)
        await open(socket)
        const frames = PATHS.flatMap((path, i) => {
          const headers = {
            ':method': method,
            ...(method === 'CONNECT' ? {} : { ':scheme': 'http', ':path': path }),
            ':authority': 'a',
            ...(expect === undefined ? {} : { expect }),
          }
          const stream = 2 * i + 1
          return [
            frame(HEADERS, END_HEADERS, stream, block(headers)),
            ...(i % 2 === 0 ? [frame(DATA, 0, stream, Buffer.alloc(10))] : []),
            frame(RST_STREAM, 0, stream, uint32(http2.constants.NGHTTP2_CANCEL)),
          ]
        })
        socket.write(Buffer.concat([PREFACE, ...frames]))
      }
    }
    await settled()
    for (const socket of sockets) socket.destroy()
  })

  test(`${kind}: an upload that is reset in the middle does not reach the target as a whole one`, async (t) => {
    const { app, target, dial, open, settled } = await gateway(t, KINDS[kind])
    const socket = dial(['h2'])
    await open(socket)
    socket.write(PREFACE)
    const { NGHTTP2_NO_ERROR, NGHTTP2_CANCEL } = http2.constants
    const kinds = [NGHTTP2_NO_ERROR, NGHTTP2_CANCEL].flatMap((code) =>
      [{}, { 'content-length': '10' }].flatMap((length) =>
        ['/cut', '/slow'].map((path) => ({ code, length, path })),
      ),
    )
    for (const [i, { code, length, path }] of kinds.entries()) {
      const stream = 2 * i + 1
      const headers = { ':method': 'POST', ':scheme': 'http', ':path': path, ':authority': 'a', ...length }
      socket.write(frame(HEADERS, END_HEADERS, stream, block(headers)))
      socket.write(frame(DATA, 0, stream, Buffer.from('part')))
      if (path === '/cut' && !('content-length' in length))
        await until(() => inflight(app) > 0, 'it is on its way to the target')
      socket.write(frame(RST_STREAM, 0, stream, uint32(code)))
      await until(() => inflight(app) === 0, 'nothing in flight')
    }
    await settled()
    assert.deepEqual(target.whole, ['/a'])
    socket.destroy()
  })

  test(`${kind}: frames in any order, and connections that go in between, end no process`, async (t) => {
    const { dial, settled, open } = await gateway(t, KINDS[kind])
    const random = seededDice(21)
    const one = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)] as T
    const rounds = Array.from({ length: 120 }, async (_, i) => {
      await new Promise((resolve) => setTimeout(resolve, Math.floor(i / 20) * 25))
      const socket = dial(['h2'])
      await open(socket)
      let stream = -1
      const some = (): Buffer => {
        const any = Math.max(1, stream - one([0, 0, 0, 2, 4]))
        return one([
          () => {
            stream += 2
            const method = one(['GET', 'POST', 'POST', 'HEAD', 'FOO'])
            const length = one([undefined, undefined, '5', '100000'])
            const headers = {
              ':method': method,
              ':scheme': 'http',
              ':path': one(PATHS),
              ':authority': 'a',
              ...(random() < 0.3 ? { expect: '100-continue' } : {}),
              ...(length === undefined ? {} : { 'content-length': length }),
            }
            return frame(HEADERS, END_HEADERS + (random() < 0.3 ? END_STREAM : 0), stream, block(headers))
          },
          () => frame(DATA, one([0, END_STREAM]), any, Buffer.alloc(one([0, 5, 1000]))),
          () => frame(RST_STREAM, 0, any, uint32(one([0, 1, 2, 5, 7, 8]))),
          () => frame(WINDOW_UPDATE, 0, any, uint32(one([1, 1000]))),
          () => frame(HEADERS, END_HEADERS + END_STREAM, any, block({ 'x-trailer': '1' })),
        ])()
      }
      socket.write(Buffer.concat([PREFACE, ...Array.from({ length: one([1, 3, 10, 30]) }, some)]))
      const after = one([0, 1, 3, 10, 30])
      if (after > 0) await new Promise((resolve) => setTimeout(resolve, after))
      if (random() < 0.3) socket.write(frame(GOAWAY, 0, 0, Buffer.alloc(8)))
      if (random() < 0.5) reset(socket)
      socket.destroy()
    })
    await Promise.all(rounds)
    await settled()
  })
}

test('an error that nobody caught ends the process soon, whatever it has left open', async (t) => {
  const folder = await ownHouse(t, {
    'routes/crash.ts': `export default async (app: any) => {
      app.get('/crash', async () => {
        setImmediate(() => { throw new Error('a bug') })
        await new Promise(() => {})
      })
    }`,
  })
  const config = `import { defineGateway } from './plugins/config/define.ts'
    export default defineGateway({ server: { drain: 0 }, upstreams: {}, routes: [] })`
  const { port, ended, output } = await startProcess(t, { folder, config })
  const from = performance.now()
  const socket = connect(port, '127.0.0.1').on('error', () => {})
  socket.write('GET /crash HTTP/1.1\r\nhost: a\r\n\r\n')
  assert.equal(await ended, 1)
  // fastify-cli's own limit is 40 s.
  assert.ok(performance.now() - from < 25_000, `${performance.now() - from} ms`)
  assert.match(output(), /an error that nobody caught ends the process/)
})
