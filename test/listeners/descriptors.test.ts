import assert from 'node:assert/strict'
import { test } from 'node:test'
import { roomIn } from '../../plugins/listeners/descriptors.ts'
import { startProcess } from '../support/process.ts'
import { startTarget } from '../support/target.ts'
import { ask } from '../transport/support.ts'

type Count = Record<string, number>

/** A gateway with so many file descriptors is asked by so many at once; what they hear, and what the log has. */
async function crowded(t: Parameters<typeof startTarget>[0], descriptors: number, clients: number) {
  const slow = (): ReturnType<typeof startTarget> =>
    startTarget(t, (_seen, response) => void setTimeout(() => response.end('ok'), 400))
  const origins = [(await slow()).origin, (await slow()).origin]
  const gateway = await startProcess(t, {
    under: ['sh', '-c', `ulimit -n ${descriptors}; exec "$@"`, 'limited'],
    config: `export default {
      server: { drain: 0 },
      upstreams: { main: { targets: [${origins.map((origin) => `{ origin: '${origin}' }`)}] } },
      routes: [{ path: '/*', upstream: 'main' }],
    }`,
  })
  const answers: Count = {}
  const heard = (what: string): void => {
    answers[what] = (answers[what] ?? 0) + 1
  }
  await Promise.all(
    Array.from({ length: clients }, () =>
      ask(gateway.port).then(
        ({ status }) => heard(String(status)),
        () => heard('closed'),
      ),
    ),
  )
  return { gateway, answers, told: gateway.lines.map(({ msg }) => String(msg)) }
}

test('out of file descriptors: those who are let in are served, and the log says why the others are not', async (t) => {
  const { gateway, answers, told } = await crowded(t, 100, 120)
  assert.deepEqual(Object.keys(answers).toSorted(), ['200', 'closed'])
  assert.equal(told.filter((msg) => /^too many clients: .*LimitNOFILE/.test(msg)).length, 1)
  assert.ok(
    told.some((msg) => /`limits.connections` of all targets come to 256/.test(msg)),
    gateway.output(),
  )
  // Whoever is gone makes room.
  assert.equal((await ask(gateway.port)).status, 200)
  assert.ok(!gateway.output().includes('EMFILE'), gateway.output())
})

test('clients are let in as far as there is a descriptor for what they ask of targets', () => {
  const limits = { connections: 128, tunnels: 1024 }
  const upstreams = [{ targets: [1, 2, 3], limits }]
  assert.deepEqual(roomIn(1_048_576, upstreams), { clients: 1_045_056, wanted: 384, fit: 3456 })
  assert.deepEqual(roomIn(1024, upstreams), { clients: 480, wanted: 384, fit: 480 })
  assert.deepEqual(roomIn(40, upstreams), { clients: 1, wanted: 384, fit: 1 })
})
