/** `npm start` as service managers and containers run it: by the pid that they started, and by its output. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it, type TestContext } from 'node:test'
import { freePort } from '../support/ports.ts'
import { ROOT, startProcess } from '../support/process.ts'
import { until } from '../support/until.ts'

describe('npm start', () => {
  const home = mkdtempSync(join(tmpdir(), 'holdfast-start-'))
  after(() => rmSync(home, { recursive: true, force: true }))

  async function npmStart(t: TestContext, config: string) {
    const path = join(home, 'gateway.config.ts')
    writeFileSync(path, config)
    const port = await freePort()
    const env = { ...process.env, GATEWAY_CONFIG: path, PORT: String(port), FASTIFY_ADDRESS: '127.0.0.1' }
    // In a group of its own, so that nothing is left behind if a signal does not get through.
    const npm = spawn('npm', ['start', '--silent'], {
      cwd: ROOT,
      env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const closed = once(npm, 'close')
    let over = false
    closed.then(() => {
      over = true
    })
    t.after(() => over || process.kill(-(npm.pid as number), 'SIGKILL'))
    let output = ''
    let listens = () => {}
    const listening = new Promise<void>((resolve) => {
      listens = resolve
    })
    for (const stream of [npm.stdout, npm.stderr]) {
      stream.on('data', (chunk) => {
        output += chunk
        if (output.includes('Server listening')) listens()
      })
    }
    await Promise.race([listening, closed])
    return { npm, closed, port, output: () => output }
  }

  it('SIGTERM to npm alone drains the gateway and ends it', { timeout: 30_000 }, async (t) => {
    const config = `export default { server: { drain: '200ms' }, upstreams: {}, routes: [{ path: '/', respond: {} }] }`
    const { npm, closed, port, output } = await npmStart(t, config)
    assert.equal((await fetch(`http://127.0.0.1:${port}/`)).status, 200, output())
    npm.kill('SIGTERM')
    // All that hold its output are gone, the gateway too.
    await closed
    await assert.rejects(fetch(`http://127.0.0.1:${port}/`))
    assert.match(output(), /SIGTERM|drain/i)
  })

  it('says what is wrong with a config once, without a stack, and exits with 1', {
    timeout: 30_000,
  }, async (t) => {
    const config = `export default { upstreams: {}, routes: [{ path: '/x' }] }`
    const { closed, output } = await npmStart(t, config)
    assert.deepEqual(await closed, [1, null])
    assert.equal(
      output(),
      [
        'gateway.config.ts has 1 problem',
        '  routes[0]: goes nowhere; give it an `upstream`, a `split`, a `redirect`, a `respond` or an `endpoint`',
        '',
      ].join('\n'),
    )
  })
})

describe('`fastify start` by hand', () => {
  const config = `export default { server: { drain: '200ms' }, upstreams: {}, routes: [{ path: '/', respond: {} }] }`

  it('without -o: says what is missing, without a stack', { timeout: 30_000 }, async () => {
    const cli = join(ROOT, 'node_modules/fastify-cli/cli.js')
    const child = spawn(process.execPath, [cli, 'start', '-p', String(await freePort()), 'app.ts'], {
      cwd: ROOT,
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
    assert.deepEqual(await once(child, 'close'), [1, null])
    assert.match(output, /^app\.ts has 1 problem\n {2}options: .*`fastify start -o app\.ts`.*\n$/)
  })

  it('without -g: warns that a stop would cut requests off', { timeout: 30_000 }, async (t) => {
    const long = await startProcess(t, { config, flags: ['-g', '1300'] })
    const short = await startProcess(t, { config, flags: ['-g', '500'] })
    await until('the warning', () =>
      short.output().includes('HoldfastWarning: a stop ends the process after 500 ms'),
    )
    assert.doesNotMatch(long.output(), /Warning/)
  })
})
