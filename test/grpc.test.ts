/** gRPC through the gateway, with real servers and a real client: @grpc/grpc-js. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import grpc from '@grpc/grpc-js'
import { startGateway } from './support/gateway.ts'
import { eventually } from './transport/support.ts'

const bytes = (value: Buffer): Buffer => value
const method = (path: string, requestStream: boolean, responseStream: boolean) => ({
  path,
  requestStream,
  responseStream,
  requestSerialize: bytes,
  requestDeserialize: bytes,
  responseSerialize: bytes,
  responseDeserialize: bytes,
})
const HEALTH = { check: method('/grpc.health.v1.Health/Check', false, false) }
const ECHO = {
  say: method('/test.Echo/Say', false, false),
  refuse: method('/test.Echo/Refuse', false, false),
  chat: method('/test.Echo/Chat', true, true),
}
/** HealthCheckResponse { status: SERVING | NOT_SERVING } */
const STATUS = { serving: Buffer.from([8, 1]), notServing: Buffer.from([8, 2]) }

async function startServer(t: Pick<TestContext, 'after'>, name: string) {
  const server = new grpc.Server()
  const state = { serving: true, unavailable: false, calls: 0, checks: 0 }
  server.addService(HEALTH, {
    check: (_call: unknown, done: grpc.sendUnaryData<Buffer>) => {
      state.checks++
      done(null, state.serving ? STATUS.serving : STATUS.notServing)
    },
  } as grpc.UntypedServiceImplementation)
  server.addService(ECHO, {
    say: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
      state.calls++
      if (state.unavailable) {
        done({ code: grpc.status.UNAVAILABLE, details: 'no database' })
        return
      }
      const trailers = new grpc.Metadata()
      trailers.set('x-from', name)
      done(null, Buffer.concat([Buffer.from(`${name}:`), call.request]), trailers)
    },
    refuse: (_call: unknown, done: grpc.sendUnaryData<Buffer>) =>
      done({ code: grpc.status.FAILED_PRECONDITION, details: 'not today' }),
    chat: (call: grpc.ServerDuplexStream<Buffer, Buffer>) => {
      call.on('data', (chunk: Buffer) => call.write(Buffer.concat([Buffer.from('re:'), chunk])))
      call.on('end', () => call.end())
    },
  } as grpc.UntypedServiceImplementation)
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  )
  t.after(() => server.forceShutdown())
  return { origin: `http://127.0.0.1:${port}`, name, state, kill: () => server.forceShutdown() }
}

async function calls(t: TestContext, upstream: object = {}) {
  const servers = await Promise.all(['a', 'b', 'c'].map((name) => startServer(t, name)))
  const { app, port } = await startGateway({
    server: { http2: true },
    upstreams: {
      echo: { targets: servers.map(({ origin }) => ({ origin })), http2: true, ...upstream },
    },
    routes: [{ path: '/test.Echo/*', upstream: 'echo' }],
  } as object)
  t.after(() => app.close())
  const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure())
  t.after(() => client.close())
  const unary = (path: string, text: string) =>
    new Promise<{ text: string; from: unknown }>((resolve, reject) => {
      let answer: Buffer | undefined
      const call = client.makeUnaryRequest(path, bytes, bytes, Buffer.from(text), (error, value) => {
        if (error !== null) reject(error)
        answer = value
      })
      call.on('status', ({ metadata }) =>
        setImmediate(() => resolve({ text: String(answer), from: metadata.get('x-from')[0] })),
      )
    })
  return { servers, app, client, unary }
}

test('unary calls are balanced, with status and trailers of the server', async (t) => {
  const { unary, servers } = await calls(t, { loadBalancing: 'round-robin' })
  for (let i = 0; i < 6; i++) {
    const { text, from } = await unary('/test.Echo/Say', `hello ${i}`)
    assert.match(text, new RegExp(`^[abc]:hello ${i}$`))
    assert.equal(from, text[0])
  }
  assert.deepEqual(
    servers.map(({ state }) => state.calls),
    [2, 2, 2],
  )
  await assert.rejects(unary('/test.Echo/Refuse', 'x'), {
    code: grpc.status.FAILED_PRECONDITION,
    details: 'not today',
  })
  await assert.rejects(unary('/test.Other/Say', 'x'), { code: grpc.status.UNIMPLEMENTED })
})

test('a stream both ways stays open: each message comes back at once', async (t) => {
  const { client } = await calls(t)
  const call = client.makeBidiStreamRequest('/test.Echo/Chat', bytes, bytes)
  const heard: string[] = []
  call.on('data', (chunk: Buffer) => heard.push(String(chunk)))
  const status = new Promise<grpc.StatusObject>((resolve) => call.on('status', resolve))
  for (const word of ['one', 'two', 'three']) {
    call.write(Buffer.from(word))
    await eventually(() => heard.at(-1) === `re:${word}`, `the answer to ${word}`)
  }
  call.end()
  assert.equal((await status).code, grpc.status.OK)
})

test('a server that says NOT_SERVING, and one that dies, are not noticed by callers', async (t) => {
  const { unary, servers, app } = await calls(t, {
    healthCheck: { type: 'grpc', interval: '50ms', fastInterval: '20ms', timeout: '2s' },
    panicThreshold: 0,
  })
  const [a, b, c] = servers as [(typeof servers)[0], (typeof servers)[0], (typeof servers)[0]]
  await eventually(() => app.upstreams.upstream('echo').eligible().length === 3, 'all checked')
  a.state.serving = false
  await eventually(() => app.upstreams.upstream('echo').eligible().length === 2, 'a is down')
  const before = a.state.calls
  for (let i = 0; i < 20; i++) await unary('/test.Echo/Say', 'x')
  assert.equal(a.state.calls, before)
  b.kill()
  for (let i = 0; i < 40; i++) assert.equal((await unary('/test.Echo/Say', 'x')).text, 'c:x')
  assert.ok(c.state.checks > 1)
})

test('a server that answers UNAVAILABLE fails, though its HTTP status is 200: it gets no more', async (t) => {
  const { unary, servers } = await calls(t)
  const [a] = servers as [(typeof servers)[0]]
  a.state.unavailable = true
  let failed = 0
  for (let i = 0; i < 60; i++) {
    await unary('/test.Echo/Say', 'x').catch(({ code }) => {
      assert.equal(code, grpc.status.UNAVAILABLE)
      failed++
    })
  }
  assert.ok(failed <= 2, `${failed} calls failed`)
})
