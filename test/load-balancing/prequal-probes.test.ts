/** Probes over real sockets. */
import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import http2 from 'node:http2'
import https from 'node:https'
import { describe, it, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { ProbeClient } from '../../plugins/load-balancing/prequal/probe-client.ts'
import { createAuthority } from '../support/certificates.ts'
import { portFor } from '../support/ports.ts'
import { deadOrigin, startTarget } from '../support/target.ts'
import { testTarget } from '../support/test-targets.ts'
import { until } from '../support/until.ts'
import { gatewayTo } from '../transport/support.ts'

interface Heard {
  readonly answers: (readonly [rif: number, latencyMs: number])[]
  readonly turned: (string | undefined)[]
  readonly ask: () => void
  readonly client: ProbeClient
}

function clientTo(t: TestContext, origin: string, timeout = 1000, http2 = false): Heard {
  const { hostname, port } = new URL(origin)
  const target = testTarget(1)
  const answers: (readonly [number, number])[] = []
  const turned: (string | undefined)[] = []
  const client = new ProbeClient(
    () => ({ connect: { host: hostname, port: Number(port) }, hostHeader: 'target', tls: undefined, http2 }),
    (of, why) => {
      assert.equal(of, target)
      turned.push(why)
    },
  )
  t.after(() => client.close())
  const ask = () =>
    client.ask(target, { path: '/prequal', timeout }, (of, rif, latencyMs) => {
      assert.equal(of, target)
      answers.push([rif, latencyMs])
    })
  return { answers, turned, ask, client }
}

describe('a probe', () => {
  for (const [name, answer, expected] of [
    ['a JSON body', (response: ServerResponse) => response.end('{"rif": 3, "latencyMs": 12.5}'), [3, 12.5]],
    ['a body without latency', (response: ServerResponse) => response.end('{"rif": 3}'), [3, Number.NaN]],
    [
      'the ORCA header',
      (response: ServerResponse) => {
        response.setHeader('endpoint-load-metrics', 'TEXT named_metrics.rif=7,named_metrics.latency_ms=20')
        response.end('ok')
      },
      [7, 20],
    ],
  ] as const) {
    it(`reads ${name}`, async (t) => {
      const target = await startTarget(t, (_seen, response) => answer(response))
      const { ask, answers, turned } = clientTo(t, target.origin)
      ask()
      await until('an answer', () => answers.length === 1)
      assert.deepEqual(answers, [expected])
      assert.deepEqual(turned, [])
      assert.deepEqual([target.seen[0]?.url, target.seen[0]?.headers.host], ['/prequal', 'target'])
    })
  }

  for (const [name, answer, why] of [
    ['a 404', (response: ServerResponse) => response.writeHead(404).end('{"rif": 0}'), 'status 404'],
    ['other text', (response: ServerResponse) => response.end('hello'), 'it tells no "rif"'],
    ['far too much', (response: ServerResponse) => response.end(' '.repeat(100_000)), 'more than 4096 bytes'],
    ['a break', (response: ServerResponse) => response.destroy(), 'socket hang up'],
    ['silence', () => {}, 'no answer within 50 ms'],
    [
      'a trickle',
      (response: ServerResponse) => {
        const timer = setInterval(() => response.write(' '), 10)
        response.on('close', () => clearInterval(timer))
      },
      'no answer within 50 ms',
    ],
  ] as const) {
    it(`makes nothing of ${name}, and tells of it once`, async (t) => {
      let well = false
      const target = await startTarget(t, (_seen, response) =>
        well ? response.end('{"rif": 1}') : answer(response),
      )
      const { ask, answers, turned } = clientTo(t, target.origin, why.startsWith('no answer') ? 50 : 10_000)
      for (let i = 1; i <= 2; i++) {
        await until('a probe', () => {
          ask()
          return target.seen.length >= i
        })
      }
      await until('word of a failure', () => turned.length === 1)
      assert.deepEqual(turned, [why])
      assert.deepEqual(answers, [])
      well = true
      await until('an answer', () => {
        ask()
        return answers.length > 0
      })
      assert.deepEqual(turned, [why, undefined])
    })
  }

  it('to a port on which nobody listens is no answer', async (t) => {
    const { ask, turned } = clientTo(t, await deadOrigin())
    ask()
    await until('word of a failure', () => turned.length === 1)
    assert.match(String(turned[0]), /ECONNREFUSED/)
  })

  it('over HTTP/2 goes out over one connection, and over a new one after silence or a break', async (t) => {
    let well = true
    const streams: http2.ServerHttp2Stream[] = []
    const sessions = new Set<http2.ServerHttp2Session>()
    const server = http2.createServer()
    server.on('session', (session) => sessions.add(session))
    server.on('stream', (any, { ':path': path, ':authority': host }) => {
      const stream = any as http2.ServerHttp2Stream
      streams.push(stream)
      stream.on('error', () => {})
      if (!well) return
      assert.deepEqual([path, host], ['/prequal', 'target'])
      stream.respond({ ':status': 200 })
      stream.end('{"rif": 2, "latencyMs": 5}')
    })
    const port = await portFor(server)
    t.after(() => {
      for (const session of sessions) session.destroy()
      server.close()
    })
    const { ask, answers, turned } = clientTo(t, `http://127.0.0.1:${port}`, 50, true)
    const answered = async (count: number) =>
      until('an answer', () => {
        ask()
        return answers.length >= count
      })
    await answered(3)
    assert.deepEqual(answers[0], [2, 5])
    assert.equal(sessions.size, 1)
    well = false
    ask()
    await until('word of silence', () => turned.length === 1)
    assert.deepEqual(turned, ['no answer within 50 ms'])
    well = true
    await answered(answers.length + 2)
    assert.equal(sessions.size, 2)
    for (const session of sessions) session.destroy()
    await answered(answers.length + 2)
    assert.equal(sessions.size, 3)
  })

  it('goes out one at a time, over one connection', async (t) => {
    const held: ServerResponse[] = []
    const target = await startTarget(t, (_seen, response) => held.push(response))
    const connections = new Set()
    target.server.on('connection', (socket) => connections.add(socket))
    const { ask, answers } = clientTo(t, target.origin)
    for (let round = 1; round <= 3; round++) {
      for (let i = 0; i < 10; i++) ask()
      await until('a probe', () => held.length === round)
      held.at(-1)?.end('{"rif": 1, "latencyMs": 1}')
      await until('an answer', () => answers.length === round)
    }
    assert.equal(target.seen.length, 3)
    assert.equal(connections.size, 1)
  })

  it('is not sent once the client is closed', async (t) => {
    const target = await startTarget(t)
    const { ask, client } = clientTo(t, target.origin)
    ask()
    client.close()
    ask()
    await sleep(30)
    assert.equal(target.seen.length, 0)
  })
})

describe('a gateway that balances by Prequal', () => {
  it('asks its targets, and sends requests to those that say that they are quick', async (t) => {
    const latencies = [5, 500, 500]
    const targets = await Promise.all(
      latencies.map((latencyMs) =>
        startTarget(t, ({ url }, response) =>
          response.end(url === '/prequal' ? JSON.stringify({ rif: 0, latencyMs }) : 'ok'),
        ),
      ),
    )
    const { url } = await gatewayTo(
      t,
      targets.map(({ origin }) => origin),
      { upstream: { loadBalancing: { policy: 'prequal', probe: { path: '/prequal', timeout: '1s' } } } },
    )
    const sent = () => targets.map(({ seen }) => seen.filter((one) => one.url === '/x').length)
    for (let i = 0; i < 20; i++) assert.equal((await fetch(`${url}/x`)).status, 200)
    await until('probes of all', () =>
      targets.every(({ seen }) => seen.some((one) => one.url === '/prequal')),
    )
    const before = sent()
    for (let i = 0; i < 40; i++) {
      assert.equal((await fetch(`${url}/x`)).status, 200)
      // An answer that a request was sent by counts one more in flight, until the next one corrects it.
      await sleep(10)
    }
    const after = sent().map((count, i) => count - (before[i] as number))
    assert.ok((after[0] as number) >= 35, `${after}`)
  })

  it('asks in HTTP/2 where its targets are spoken to so, and as they agree over TLS', async (t) => {
    const authority = createAuthority()
    const { cert, key } = authority.issue('localhost', { names: ['IP:127.0.0.1'] })
    const seen: string[] = []
    const listener = (request: http2.Http2ServerRequest, response: http2.Http2ServerResponse): void => {
      if (request.url === '/prequal') seen.push(request.httpVersion)
      response.end('{"rif": 0, "latencyMs": 5}')
    }
    for (const [server, scheme, version] of [
      [http2.createServer(listener), 'http', '2.0'],
      [http2.createSecureServer({ cert, key }, listener), 'https', '2.0'],
      [https.createServer({ cert, key }, listener as never), 'https', '1.1'],
    ] as const) {
      const port = await portFor(server as never)
      t.after(() => server.close())
      const { url, app } = await gatewayTo(t, `${scheme}://127.0.0.1:${port}`, {
        upstream: {
          http2: true,
          ...(scheme === 'https' ? { tls: { ca: authority.certFile } } : {}),
          loadBalancing: { policy: 'prequal', probe: { path: '/prequal', timeout: '1s' } },
        },
      })
      seen.length = 0
      await until('probes', async () => {
        await (await fetch(`${url}/x`)).arrayBuffer()
        return seen.length > 1
      })
      assert.deepEqual([...new Set(seen)], [version])
      await app.close()
    }
  })

  it('says so once when probes fail', async (t) => {
    const target = await startTarget(t, ({ url }, response) => {
      if (url === '/nowhere') response.statusCode = 404
      response.end('ok')
    })
    const { url, app } = await gatewayTo(t, target.origin, {
      upstream: { loadBalancing: { policy: 'prequal', probe: { path: '/nowhere', timeout: '1s' } } },
    })
    const events: string[] = []
    app.upstreams.onEvent(({ name, why }) => events.push(`${name}: ${why}`))
    for (let i = 0; i < 10; i++) assert.equal((await fetch(`${url}/x`)).status, 200)
    await until('an event', () => events.length > 0)
    assert.deepEqual(events, ['probes-failing: status 404'])
  })
})
