/** Clients that hold on to connections by being slow, as slowhttptest plays them: the others are served throughout. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import { startProcess } from '../support/process.ts'
import { startTarget } from '../support/target.ts'
import { needs } from '../support/tools.ts'
import { eventually } from '../transport/support.ts'

const CONNECTIONS = 300
const SECONDS = 5
const LARGE = Buffer.alloc(2 ** 21, 'x')

/** What each of them says to be slow, and at what address. */
const ATTACKS = {
  'slow headers': ['-H', '-x', '24', '/'],
  'slow bodies': ['-B', '-s', '8192', '-x', '16', '/upload'],
  'slow reads': ['-X', '-w', '256', '-y', '512', '-z', '32', '-n', '1', '/large'],
}

function attack(url: string, flags: readonly string[]) {
  const path = flags.at(-1) as string
  const common = ['-c', `${CONNECTIONS}`, '-r', '300', '-i', '1', '-l', `${SECONDS}`, '-p', '3']
  const child = spawn('slowhttptest', [...flags.slice(0, -1), ...common, '-u', `${url}${path}`])
  let output = ''
  child.stdout.on('data', (chunk) => {
    output += chunk
  })
  child.stderr.resume()
  const plain = (): string => stripVTControlCharacters(output)
  return { child, output: plain, ended: once(child, 'exit') }
}

function sockets(pid: number): number {
  const folder = `/proc/${pid}/fd`
  return readdirSync(folder).filter((fd) => {
    try {
      return readlinkSync(join(folder, fd)).startsWith('socket:')
    } catch {
      return false
    }
  }).length
}

test('slow headers, bodies and reads at once: everybody else is served', needs('slowhttptest'), async (t) => {
  const target = await startTarget(t, (seen, response) => {
    if (seen.url === '/large') response.end(LARGE)
    else response.end('ok')
  })
  const { url, output, child } = await startProcess(t, {
    config: `export default {
      server: { headersTimeout: '2s', requestTimeout: '3s', idleTimeout: '4s', drain: 0 },
      upstreams: { users: { targets: [{ origin: '${target.origin}' }] } },
      routes: [{ path: '/*', upstream: 'users' }],
      logs: { access: false },
    }`,
  })
  const before = sockets(child.pid as number)
  const attacks = Object.values(ATTACKS).map((flags) => attack(url, flags))
  for (const { child } of attacks) t.after(() => child.kill('SIGKILL'))
  let underWay = true
  const over = Promise.all(attacks.map(({ ended }) => ended)).then(() => {
    underWay = false
  })
  const took: number[] = []
  while (underWay) {
    const from = performance.now()
    const [get, post] = await Promise.all([
      fetch(`${url}/small`, { signal: AbortSignal.timeout(5000) }),
      fetch(`${url}/upload`, { method: 'POST', body: 'order', signal: AbortSignal.timeout(5000) }),
    ])
    assert.deepEqual([get.status, post.status, await get.text(), await post.text()], [200, 200, 'ok', 'ok'])
    took.push(performance.now() - from)
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  await over
  assert.ok(took.length > 20, `${took.length} requests`)
  for (const { output } of attacks)
    assert.match(output(), /service available:\s+.*YES/, output().slice(-1500))
  assert.equal(child.exitCode, null, output())
  await eventually(() => sockets(child.pid as number) <= before + 8, 'their connections are closed')
})
