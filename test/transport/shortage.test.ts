import assert from 'node:assert/strict'
import net from 'node:net'
import { test } from 'node:test'
import { startGateway } from '../support/gateway.ts'
import { startTarget } from '../support/target.ts'
import { ask, eventually } from './support.ts'

test('no descriptor is left for a connection to a target: no target is blamed, and the log says so once', async (t) => {
  const [one, two] = [await startTarget(t), await startTarget(t)]
  const lines: string[] = []
  const events: string[] = []
  const { app, port } = await startGateway(
    {
      upstreams: {
        main: {
          targets: [{ origin: one.origin }, { origin: two.origin }],
          healthCheck: { interval: 20, fastInterval: 20, fall: 1 },
          outlierDetection: { consecutive: { failures: 1 } },
          circuitBreaker: { minimum: 1 },
        },
      },
      routes: [{ path: '/*', upstream: 'main' }],
    } as object,
    {
      log: (line) => lines.push(line),
      use: async (gateway) =>
        gateway.upstreams.onEvent(({ name, target }) => target !== undefined && events.push(name)),
    },
  )
  t.after(() => {
    app.server.closeAllConnections()
    void app.close()
  })
  await eventually(() => events.length === 2, 'both are found healthy')
  let refused = 0
  const { mock } = t.mock.method(net, 'connect', () => {
    refused++
    const error = Object.assign(new Error('connect EMFILE 127.0.0.1:1'), { code: 'EMFILE' })
    return new net.Socket().destroy(error)
  })
  for (let i = 0; i < 5; i++) {
    for (const method of ['GET', 'POST']) {
      const { status, headers, body } = await ask(port, { method })
      assert.equal(status, 503)
      assert.equal(headers['retry-after'], '1')
      assert.match(String(body), /GTW_OVERLOADED/)
    }
  }
  const before = refused
  await eventually(() => refused > before + 4, 'checks go on')
  mock.restore()
  assert.deepEqual(events, ['healthy', 'healthy'], 'no target was taken out')
  assert.equal(app.upstreams.upstream('main').eligible().length, 2)
  assert.equal((await ask(port)).status, 200)
  const told = lines.filter((line) => line.includes('LimitNOFILE'))
  assert.equal(told.length, 1, told.join(''))
  assert.match(told[0] as string, /no connection to a target can be opened/)
})
