/**
 * Rule 8 of the house: any concern but the four that it stands on can be deleted, and the gateway still
 * serves. A config that uses what was deleted is refused: a missing guard must never mean open doors.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it, type TestContext } from 'node:test'
import { promisify } from 'node:util'
import { loadSchemas, readGateway } from '../plugins/config/load.ts'
import { copyHouse, ROOT, startProcess } from './support/process.ts'
import { startTarget } from './support/target.ts'

const NEEDED = new Set(['config', 'upstreams', 'transport', 'routing'])
const concerns = readdirSync(join(ROOT, 'plugins'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && !NEEDED.has(entry.name))
  .map(({ name }) => name)

/** What a config says to use a concern, and how it is refused without it. Those left out have no keys of their own. */
const USES: Readonly<
  Record<string, { gateway?: string; upstream?: string; route?: string; refusal: string }>
> = {
  'access-log': { gateway: 'logs: { access: false }', refusal: 'logs: unknown key' },
  'adaptive-concurrency': {
    upstream: 'adaptiveConcurrency: {}',
    refusal: 'upstreams.users.adaptiveConcurrency: unknown key',
  },
  'address-rules': {
    gateway: "addresses: { deny: ['192.0.2.1'] }",
    refusal: 'addresses: unknown key',
  },
  admin: { gateway: 'admin: { port: 9901 }', refusal: 'admin: unknown key' },
  alerts: {
    gateway: "alerts: { rules: [{ name: 'panic', panic: true }] }",
    refusal: 'alerts: unknown key',
  },
  auth: { gateway: 'auth: {}', refusal: 'auth: unknown key' },
  authorization: {
    route: "authorization: { when: 'true' }",
    refusal: 'routes[0].authorization: unknown key',
  },
  'circuit-breaker': {
    upstream: 'circuitBreaker: {}',
    refusal: 'upstreams.users.circuitBreaker: unknown key',
  },
  cors: { gateway: "cors: { origins: ['*'] }", refusal: 'cors: unknown key' },
  'debug-header': {
    gateway: "debugHeader: { trusted: ['127.0.0.1'] }",
    refusal: 'debugHeader: unknown key',
  },
  failover: { upstream: 'failover: { retries: 1 }', refusal: 'upstreams.users.failover: unknown key' },
  'health-check': { upstream: 'healthCheck: {}', refusal: 'upstreams.users.healthCheck: unknown key' },
  'identity-headers': { gateway: 'identityHeaders: {}', refusal: 'identityHeaders: unknown key' },
  listeners: { gateway: 'listeners: []', refusal: 'listeners: unknown key' },
  'load-balancing': {
    upstream: "loadBalancing: 'round-robin'",
    refusal: 'upstreams.users.loadBalancing: unknown key',
  },
  metrics: { gateway: 'metrics: { exemplars: false }', refusal: 'metrics: unknown key' },
  'outlier-detection': {
    upstream: 'outlierDetection: false',
    refusal: 'upstreams.users.outlierDetection: unknown key',
  },
  'proof-of-life': {
    upstream: 'proofOfLife: false',
    refusal: 'upstreams.users.proofOfLife: unknown key',
  },
  'rate-limit': { gateway: "rateLimits: { store: 'local' }", refusal: 'rateLimits: unknown key' },
  readiness: { gateway: "endpoints: { live: '/live' }", refusal: 'endpoints: unknown key' },
  redis: { gateway: "redis: 'redis://127.0.0.1:6379'", refusal: 'redis: unknown key' },
  samples: { gateway: 'samples: [4001]', refusal: 'samples: unknown key' },
  'security-headers': { gateway: 'securityHeaders: {}', refusal: 'securityHeaders: unknown key' },
  'slow-start': { upstream: "slowStart: '30s'", refusal: 'upstreams.users.slowStart: unknown key' },
  tracing: { gateway: 'tracing: {}', refusal: 'tracing: unknown key' },
}

function configFor(origin: string, { gateway = '', upstream = '', route = '' } = {}): string {
  return `export default {
    server: { drain: 0 },
    ${gateway === '' ? '' : `${gateway},`}
    upstreams: { users: { targets: [{ origin: '${origin}' }]${upstream === '' ? '' : `, ${upstream}`} } },
    routes: [{ path: '/*', upstream: 'users'${route === '' ? '' : `, ${route}`} }],
  }`
}

// Copying a house costs as much as starting it: one that is done with is made whole and serves again.
const idle: string[] = []
after(() => Promise.all(idle.map((folder) => rm(folder, { recursive: true }))))

/** A copy of the house without these concerns, for as long as the test takes. */
async function houseWithout(t: TestContext, concerns: readonly string[]): Promise<string> {
  const folder = idle.pop() ?? (await copyHouse())
  const [plugins, cellar] = [join(folder, 'plugins'), join(folder, 'cellar')]
  await mkdir(cellar, { recursive: true })
  for (const concern of concerns) await rename(join(plugins, concern), join(cellar, concern))
  t.after(async () => {
    for (const concern of concerns) await rename(join(cellar, concern), join(plugins, concern))
    idle.push(folder)
  })
  return folder
}

/** Starts a house without these concerns, and asks it for something. */
async function serve(t: TestContext, without: readonly string[], wanted = {}) {
  const target = await startTarget(t)
  const folder = await houseWithout(t, without)
  const gateway = await startProcess(t, { folder, config: configFor(target.origin, wanted) })
  return { target, gateway }
}

/** A folder of all the schemas there are, but for one: what a config is read by. */
async function schemasWithout(t: TestContext, without: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-schemas-'))
  t.after(() => rm(folder, { recursive: true }))
  for (const name of [...NEEDED, ...concerns]) {
    const schema = join(ROOT, 'plugins', name, 'schema.ts')
    if (name === without || !existsSync(schema)) continue
    await mkdir(join(folder, name))
    await symlink(schema, join(folder, name, 'schema.ts'))
  }
  return folder
}

const LIMIT = { timeout: 180_000, concurrency: 4 }

describe('a concern that is deleted', LIMIT, () => {
  for (const concern of concerns) {
    it(`${concern}: the gateway serves without it`, LIMIT, async (t) => {
      const { target, gateway } = await serve(t, [concern])
      const response = await fetch(`${gateway.url}/hello`).catch(() => assert.fail(gateway.output()))
      assert.equal(response.status, 200, gateway.output())
      assert.equal(await response.text(), 'ok')
      assert.equal(target.seen[0]?.url, '/hello')
      // Where a concern has gone, an error is an error still.
      assert.equal((await fetch(`${gateway.url}/a%00b`)).status, 400)
      gateway.child.kill('SIGTERM')
      assert.equal(await gateway.ended, 0, gateway.output())
    })
  }

  it('and was a guard: a start with a config that uses it ends, and says why', LIMIT, async (t) => {
    const { refusal, ...wanted } = USES['auth'] as (typeof USES)[string]
    const { gateway } = await serve(t, ['auth'], wanted)
    assert.equal(await gateway.ended, 1, gateway.output())
    assert.ok(gateway.output().includes(`  ${refusal}`), gateway.output())
  })

  for (const [concern, { refusal, ...wanted }] of Object.entries(USES)) {
    it(`${concern}: a config that uses it is refused`, async (t) => {
      const folder = await schemasWithout(t, concern)
      const config = configFor('http://127.0.0.1:9', wanted)
      const { default: input } = await import(`data:text/javascript,${encodeURIComponent(config)}`)
      const { problems } = await readGateway(input, 'gateway.config.ts', loadSchemas(folder))
      const told = problems.map(({ path, message }) => `${path}: ${message}`)
      assert.ok(
        told.some((line) => line.startsWith(refusal)),
        told.join('\n'),
      )
      const all = await readGateway(input, 'gateway.config.ts')
      assert.ok(!all.problems.some(({ message }) => message.startsWith('unknown key')), 'the key is one')
    })
  }

  // Each is deleted in three of seven runs, and no two in the same three: of any two there is a run that deletes the one
  // and keeps the other.
  const runs = [0, 1, 2, 3, 4, 5, 6]
  const threes = runs.flatMap((a) =>
    runs.flatMap((b) => runs.filter((c) => a < b && b < c).map((c) => new Set([a, b, c]))),
  )
  it('has three runs of its own', () => assert.ok(concerns.length <= threes.length))
  for (const run of runs) {
    const without = concerns.filter((_, number) => threes[number]?.has(run))
    it(`${without.join(', ')}: what is left compiles`, LIMIT, async (t) => {
      const folder = await houseWithout(t, without)
      const part = { extends: './tsconfig.json', include: ['app.ts', 'plugins', 'routes'] }
      await writeFile(join(folder, 'part.json'), JSON.stringify(part))
      const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
      const compiled = promisify(execFile)(process.execPath, [tsc, '-p', join(folder, 'part.json')])
      const { stdout } = await compiled.catch((error) => error)
      assert.equal(stdout, '')
    })
  }

  it('all at once: what is left is a gateway', LIMIT, async (t) => {
    const { gateway } = await serve(t, concerns)
    const response = await fetch(`${gateway.url}/hello`).catch(() => assert.fail(gateway.output()))
    assert.equal(response.status, 200)
  })

  it('has its keys told above, or has none', LIMIT, async () => {
    const withSchema = concerns.filter((name) =>
      readdirSync(join(ROOT, 'plugins', name)).includes('schema.ts'),
    )
    assert.deepEqual(Object.keys(USES).toSorted(), withSchema.toSorted())
  })
})
