import assert from 'node:assert/strict'
import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import https from 'node:https'
import { test } from 'node:test'
import tls from 'node:tls'
import { checkGrpc } from '../../plugins/health-check/checks/grpc.ts'
import { startFaulty, wire } from '../support/faulty.ts'
import { http2Server, limits, listening, own, plainAt, secureAt } from './support.ts'

const SERVING = '00000000020801'
const NOT_SERVING = '00000000020802'
const ANY = { service: '', headers: {}, host: undefined }

/** An answer as gRPC servers give it: head, message, trailers. */
function answer(stream: ServerHttp2Stream, frame: string, trailers: Record<string, string>): void {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
  stream.on('wantTrailers', () => stream.sendTrailers(trailers))
  stream.end(Buffer.from(frame, 'hex'))
}

for (const secure of [false, true]) {
  test(`SERVING passes ${secure ? 'over TLS' : 'in plain text'}; the call is as the protocol has it`, async (t) => {
    const seen: [IncomingHttpHeaders, string][] = []
    const server = http2Server(
      (stream, headers, body) => {
        seen.push([Object.fromEntries(Object.entries(headers)), body.toString('hex')])
        answer(stream, SERVING, { 'grpc-status': '0' })
      },
      { secure },
    )
    const port = await listening(t, server)
    const address = secure ? secureAt(port) : plainAt(port)
    const asked = { service: 'users', headers: { 'x-key': 'abc', 'user-agent': 'me' }, host: undefined }
    assert.deepEqual(await checkGrpc(address, asked, limits()), { ok: true })
    assert.deepEqual(seen, [
      [
        {
          ':method': 'POST',
          ':path': '/grpc.health.v1.Health/Check',
          ':scheme': secure ? 'https' : 'http',
          ':authority': `127.0.0.1:${port}`,
          'content-type': 'application/grpc',
          te: 'trailers',
          'user-agent': 'me',
          'x-key': 'abc',
        },
        '00000000070a057573657273',
      ],
    ])
  })
}

const ok = { 'grpc-status': '0' }
const failures: [what: string, reply: (stream: ServerHttp2Stream) => void, why: RegExp][] = [
  ['NOT_SERVING', (stream) => answer(stream, NOT_SERVING, ok), /^the service is NOT_SERVING$/],
  ['an empty message', (stream) => answer(stream, '0000000000', ok), /^the service is UNKNOWN$/],
  ['no message', (stream) => answer(stream, '', ok), /no HealthCheckResponse/],
  ['no grpc-status', (stream) => answer(stream, SERVING, { 'x-other': '1' }), /no grpc-status/],
  [
    'SERVING, and then an error in the trailers',
    (stream) => answer(stream, SERVING, { 'grpc-status': '13', 'grpc-message': 'oh no' }),
    /^grpc-status 13 \(oh no\)$/,
  ],
  [
    'an error in the first header block',
    (stream) => stream.respond({ ':status': 200, 'grpc-status': '12' }, { endStream: true }),
    /^grpc-status 12$/,
  ],
  ['status 502', (stream) => stream.respond({ ':status': 502 }, { endStream: true }), /^status 502$/],
  ['far too long a message', (stream) => answer(stream, '00'.repeat(70_000), ok), /too long/],
]
for (const [what, reply, why] of failures) {
  test(`an answer with ${what} fails the check`, async (t) => {
    const port = await listening(t, http2Server(reply))
    const result = await checkGrpc(plainAt(port), ANY, limits())
    assert.ok(!result.ok)
    assert.match(result.why, why)
  })
}

test('a target that speaks HTTP/1.1 only fails the check, with and without TLS', async (t) => {
  const secure = https.createServer({ cert: own.cert, key: own.key }, (_request, response) => response.end())
  const port = await listening(t, secure)
  const overTls = await checkGrpc(secureAt(port), ANY, limits())
  assert.ok(!overTls.ok)
  const without = await listening(t, tls.createServer({ cert: own.cert, key: own.key }))
  assert.deepEqual(await checkGrpc(secureAt(without), ANY, limits()), {
    ok: false,
    why: 'does not speak HTTP/2: ALPN agreed on no "h2"',
  })
  const plain = await startFaulty(t, ({ socket }) => socket.end(wire('HTTP/1.1 400 Bad Request')))
  const inPlainText = await checkGrpc(plainAt(plain.port), ANY, limits())
  assert.ok(!inPlainText.ok)
})

test('a call without an answer has failed when the time is up', async (t) => {
  const port = await listening(
    t,
    http2Server(() => {}),
  )
  assert.deepEqual(await checkGrpc(plainAt(port), ANY, limits(100)), {
    ok: false,
    why: 'timed out after 100 ms, waiting for an answer',
  })
})
