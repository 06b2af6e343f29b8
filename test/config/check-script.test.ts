/** `npm run check` as a process: says all that is wrong, starts nothing, and ends. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { freePort } from '../support/ports.ts'
import { ROOT } from '../support/process.ts'

/** Loaded into the checked process: says on stderr what it listens to or forks. */
const SPY = `
  import { ChildProcess } from 'node:child_process'
  import net from 'node:net'
  for (const [of, name] of [[net.Server.prototype, 'listen'], [ChildProcess.prototype, 'spawn']]) {
    const original = of[name]
    of[name] = function (...parameters) { console.error('STARTED ' + name); return original.apply(this, parameters) }
  }`

describe('npm run check', () => {
  const home = mkdtempSync(join(tmpdir(), 'holdfast-check-'))
  after(() => rmSync(home, { recursive: true, force: true }))
  writeFileSync(join(home, 'spy.mjs'), SPY)

  async function check(config: string, env: NodeJS.ProcessEnv = {}) {
    const path = join(home, 'gateway.config.ts')
    writeFileSync(path, config)
    const script = ['--import', join(home, 'spy.mjs'), 'scripts/check.ts']
    const child = spawn(process.execPath, script, {
      cwd: ROOT,
      env: { ...process.env, GATEWAY_CONFIG: path, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let out = ''
    let error = ''
    child.stdout.on('data', (chunk) => {
      out += chunk
    })
    child.stderr.on('data', (chunk) => {
      error += chunk
    })
    const [code] = await once(child, 'close')
    return { code, out, error }
  }

  it('finds a good config fine and starts none of what it asks for', { timeout: 20_000 }, async () => {
    const config = `export default {
      samples: [${await freePort()}],
      upstreams: { a: { targets: [{ origin: 'http://127.0.0.1:1' }] } },
      routes: [{ path: '/*', upstream: 'a' }],
    }`
    assert.deepEqual(await check(config), { code: 0, out: 'the config is fine\n', error: '' })
  })

  it('says all that is wrong, in the words of the start, with exit code 1 and no stack', {
    timeout: 20_000,
  }, async () => {
    const config = `export default {
      upstreams: { users: { targets: [] }, orders: { targets: [{ origin: 'http://a' }], loadBalancing: 'rnadom' } },
      routes: [{ path: '/*', upstream: 'user' }],
    }`
    const expected = [
      'gateway.config.ts has 3 problems',
      '  routes[0].upstream: no upstream is named "user"; did you mean "users"?',
      '  upstreams.orders.loadBalancing: no balancer is named "rnadom"; did you mean "random"?',
      '  upstreams.users.targets: needs at least one target',
      '',
    ]
    assert.deepEqual(await check(config), { code: 1, out: '', error: expected.join('\n') })
  })

  it('says which ports clash, with the main one where the environment says it', {
    timeout: 20_000,
  }, async () => {
    const config = `export default {
      admin: { port: 9901 }, listeners: [{ port: 9901 }, { port: 8080 }], upstreams: {}, routes: [],
    }`
    const { code, error } = await check(config, { PORT: '8080' })
    assert.equal(code, 1)
    assert.deepEqual(error.split('\n'), [
      'gateway.config.ts has 2 problems',
      '  listeners[0].port: admin is on port 9901 already; give it another port',
      '  listeners[1].port: the main port (-p, FASTIFY_PORT or PORT) is on port 8080 already; give one of them another port',
      '',
    ])
  })

  it('says of a file that cannot be loaded why', { timeout: 20_000 }, async () => {
    const { code, out, error } = await check('export default {')
    assert.equal(code, 1)
    assert.equal(out, '')
    assert.match(error, /^gateway\.config\.ts has 1 problem\n {2}cannot be loaded: /)
    assert.doesNotMatch(error, /\n\s+at /)
  })
})
