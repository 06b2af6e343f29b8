/** Ports of a gateway that is started as users start it: who wants the same one, and who has it already. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { freePort } from '../support/ports.ts'
import { startProcess } from '../support/process.ts'
import { startTarget } from '../support/target.ts'

const config = (more: string): string => `export default { ${more}, upstreams: {}, routes: [] }`

test('a port that the command line gives to the main listener is told at the start, and nothing is opened', async (t) => {
  const port = await freePort()
  const { ended, output } = await startProcess(t, {
    config: config(`admin: { port: ${await freePort()} }, listeners: [{ port: ${port} }]`),
    flags: ['-p', String(port)],
  })
  assert.notEqual(await ended, 0)
  assert.ok(
    output().includes(
      `listeners[0].port: the main port (-p, FASTIFY_PORT or PORT) is on port ${port} already; give one of them another port`,
    ),
    output(),
  )
  assert.doesNotMatch(output(), /\\n\s+at |listening at/)
})

test('ports that others have are told at the start, all with path and remedy, and nothing stays open', async (t) => {
  const [first, second] = [await startTarget(t), await startTarget(t)]
  const { ended, output, url } = await startProcess(t, {
    config: config(
      `admin: { port: ${first.port} }, listeners: [{ host: '127.0.0.1', port: ${await freePort()} }, { host: '127.0.0.1', port: ${second.port} }]`,
    ),
  })
  assert.notEqual(await ended, 0)
  const taken = (port: number) =>
    `port ${port} on 127\\.0\\.0\\.1 is taken; stop what listens there \\(find it with: ss `
  assert.match(output(), new RegExp(`admin\\.port: ${taken(first.port)}`))
  assert.match(output(), new RegExp(`listeners\\[1\\]\\.port: ${taken(second.port)}`))
  assert.doesNotMatch(output(), /\n\s+at /)
  await assert.rejects(fetch(url))
})
