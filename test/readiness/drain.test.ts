import assert from 'node:assert/strict'
import http from 'node:http'
import { test } from 'node:test'
import { startProcess } from '../support/process.ts'
import { startTarget } from '../support/target.ts'
import { until } from '../support/until.ts'

function configFor(origin: string, drain: string): string {
  return `import { defineGateway } from './plugins/config/define.ts'
export default defineGateway({
  server: { drain: '${drain}' },
  upstreams: { u: { targets: [{ origin: '${origin}' }] } },
  routes: [{ path: '/*', upstream: 'u' }],
})`
}

interface Got {
  status: number
  connection: string | undefined
  body: string
}

function get(url: string, agent?: http.Agent): Promise<Got> {
  return new Promise((resolve, reject) => {
    const request = http.get(url, agent === undefined ? { agent: false } : { agent }, (response) => {
      let body = ''
      response.on('data', (chunk) => {
        body += chunk
      })
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, connection: response.headers.connection, body }),
      )
      response.on('error', reject)
    })
    request.on('error', reject)
  })
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal} drains: what is in flight is answered, new requests are taken, clients are told to close`, async (t) => {
    let hold: () => void = () => {}
    const target = await startTarget(t, ({ url }, response) => {
      if (url === '/slow') hold = () => response.end('slow')
      else response.end('quick')
    })
    const gateway = await startProcess(t, { config: configFor(target.origin, '800ms') })
    const agent = new http.Agent({ keepAlive: true })
    assert.equal((await get(`${gateway.url}/a`, agent)).connection, 'keep-alive')
    assert.equal((await get(`${gateway.url}/readyz`)).status, 200)
    const slow = get(`${gateway.url}/slow`)
    await until('the slow request', () => target.seen.length === 2)

    gateway.child.kill(signal)
    await until('the drain', () => gateway.output().includes('draining'))
    const during = await get(`${gateway.url}/during`, agent)
    assert.deepEqual([during.status, during.connection], [200, 'close'])
    assert.equal((await get(`${gateway.url}/readyz`)).status, 503, 'not ready while draining')
    assert.equal((await get(`${gateway.url}/livez`)).status, 200)

    // Past the window the door is shut, but what is inside is finished.
    await until('the door to be shut', () =>
      get(`${gateway.url}/late`).then(
        () => false,
        ({ code }) => code === 'ECONNREFUSED',
      ),
    )
    hold()
    assert.equal((await slow).body, 'slow')
    assert.equal(await gateway.ended, 0)
    agent.destroy()
  })
}

test('under load, a stop loses no request', async (t) => {
  const target = await startTarget(t)
  const gateway = await startProcess(t, { config: configFor(target.origin, '500ms') })
  const agent = new http.Agent({ keepAlive: true, maxSockets: 8 })
  const failures: string[] = []
  let answered = 0
  let stopped = false
  let stoppedAt = Number.POSITIVE_INFINITY
  const client = async (): Promise<void> => {
    while (!stopped) {
      try {
        const { status } = await get(`${gateway.url}/x`, agent)
        if (status === 200) answered++
        else failures.push(String(status))
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException
        // The door is shut: an orchestrator would have sent this client elsewhere by now. The kernel resets
        // a connection that it had taken in but the process had not.
        const shut = performance.now() - stoppedAt > 500
        if (shut && (code === 'ECONNREFUSED' || code === 'ECONNRESET')) stopped = true
        else failures.push(String(code))
      }
    }
  }
  const clients = Array.from({ length: 8 }, client)
  await until('some load', () => answered >= 200)
  stoppedAt = performance.now()
  gateway.child.kill('SIGTERM')
  await Promise.all(clients)
  assert.deepEqual(failures, [])
  assert.equal(await gateway.ended, 0)
  agent.destroy()
})
