import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { freePort } from '../support/ports.ts'
import { ownHouse, ROOT, startProcess } from '../support/process.ts'
import { startTarget } from '../support/target.ts'
import { until } from '../support/until.ts'
import { snippetsOf } from './snippets.ts'

const run = promisify(execFile)
const PAGES = ['README.md', 'docs/architecture.md', 'bench/README.md']

test('every TypeScript block of the README says which file it is', async () => {
  const text = await readFile(join(ROOT, 'README.md'), 'utf8')
  assert.equal((await snippetsOf('README.md')).length, text.match(/^```ts$/gm)?.length)
})

test('the snippets compile where they say they belong', async (t) => {
  const snippets = await snippetsOf('README.md')
  const folder = await ownHouse(t, Object.fromEntries(snippets.map(({ path, code }) => [path, code])))
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
  const { stdout } = await run(process.execPath, [tsc, '-p', folder]).catch((error) => error)
  assert.equal(stdout, '')
})

test('a config in a folder of its own is checked by the compiler too', async (t) => {
  const code = `import { defineGateway } from '../plugins/config/define.ts'
export default defineGateway({ upstreams: {}, routes: [{ path: '/', upstream: 'nope' }] })`
  const folder = await ownHouse(t)
  await mkdir(join(folder, 'sites'))
  await writeFile(join(folder, 'sites/shop.config.ts'), code)
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
  const { stdout } = await run(process.execPath, [tsc, '-p', folder]).catch((error) => error)
  assert.match(stdout, /sites\/shop\.config\.ts\(2,\d+\): error/)
})

test('every link to a file, and every file named in a page, is there', async () => {
  for (const page of PAGES) {
    const text = await readFile(join(ROOT, page), 'utf8')
    const links = [...text.matchAll(/\]\((?!https?:)([^)#]+)\)/g)].map(([, link]) =>
      join(page, '..', link as string),
    )
    const named = [...text.matchAll(/`((?:plugins|routes|test|bench|docs|lint|scripts)\/[\w./-]+)`/g)].map(
      ([, path]) => path as string,
    )
    const own = new Set((await snippetsOf('README.md')).map(({ path }) => path))
    for (const path of [...links, ...named])
      assert.ok(own.has(path) || existsSync(join(ROOT, path)), `${page}: ${path}`)
  }
})

test('every npm script that a page names is one', async () => {
  const { scripts } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'))
  for (const page of PAGES) {
    const text = await readFile(join(ROOT, page), 'utf8')
    for (const [, name] of text.matchAll(/npm (?:run )?(start|test|run|[a-z:]+)(?=`|\n| )/g)) {
      if (name !== 'ci' && name !== 'run')
        assert.ok(name !== undefined && name in scripts, `${page}: npm ${name}`)
    }
  }
})

test('the first screen: npm start, the curl, an answer of each sample target, one of them killed', async (t) => {
  const port = await freePort()
  const child = spawn('npm', ['start'], {
    cwd: ROOT,
    env: { ...process.env, PORT: String(port) },
    detached: true,
  })
  t.after(() => {
    if (child.exitCode === null) process.kill(-(child.pid as number), 'SIGKILL')
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
  await until('the gateway to listen', () => output.includes('Server listening'), 30_000).catch((error) =>
    assert.fail(`${error.message}\n${output}`),
  )
  const ask = async () =>
    (await (await fetch(`http://127.0.0.1:${port}/hello`)).json()) as Record<string, unknown>
  const answers = [await ask(), await ask(), await ask()]
  assert.deepEqual(answers.map(({ port }) => port).toSorted(), [4001, 4002, 4003])
  assert.deepEqual(
    [answers[0]?.['hello'], answers[0]?.['method'], answers[0]?.['url']],
    ['from a sample target', 'GET', '/hello'],
  )

  process.kill(answers[1]?.['pid'] as number, 'SIGKILL')
  const after: unknown[] = []
  for (let i = 0; i < 9; i++) after.push((await ask())['port'])
  assert.ok(!after.includes(answers[1]?.['port']) && after.length === 9)
  for (let i = 0; i < 20; i++) await ask()

  process.kill(answers[2]?.['pid'] as number, 'SIGSTOP')
  const from = performance.now()
  for (let i = 0; i < 20; i++) assert.equal((await ask())['port'], answers[0]?.['port'])
  assert.ok(performance.now() - from < 5000, 'a frozen target was noticed')
  const ended = new Promise((resolve) => child.once('close', resolve))
  process.kill(-(child.pid as number), 'SIGKILL')
  await ended
})

test('write your own plugin: the balancer, the hook and the endpoint of the README work', async (t) => {
  const snippets = (await snippetsOf('README.md')).filter(({ path }) => path !== 'gateway.config.ts')
  const target = await startTarget(t)
  const folder = await ownHouse(t, {
    ...Object.fromEntries(snippets.map(({ path, code }) => [path, code])),
    'gateway.config.ts': `import { defineGateway } from './plugins/config/define.ts'
export default defineGateway({
  server: { drain: 0 },
  upstreams: { u: { targets: [{ origin: '${target.origin}' }], loadBalancing: 'fewest-inflight' } },
  routes: [{ path: '/tenants/*', upstream: 'u' }, { path: '/*', upstream: 'u' }],
})`,
  })
  const { url, output } = await startProcess(t, { folder })
  assert.equal((await fetch(`${url}/tenants/a`)).status, 400, output())
  assert.equal((await fetch(`${url}/tenants/a`, { headers: { 'x-tenant': 'a' } })).status, 200)
  assert.equal((await fetch(`${url}/other`)).status, 200)
  assert.deepEqual(await (await fetch(`${url}/hello/you`)).json(), { hello: { name: 'you' } })
})

test('the admin commands of the README, run as they stand, with the admin listener of a started gateway', async (t) => {
  const text = await readFile(join(ROOT, 'README.md'), 'utf8')
  const commands = [...text.matchAll(/(?:^|`)(curl [^`\n]*127\.0\.0\.1:9901[^`\n]*)/gm)].map(
    ([, one]) => one as string,
  )
  assert.ok(commands.length > 0)
  const target = await startTarget(t)
  const port = await freePort()
  const { output } = await startProcess(t, {
    config: `export default {
      server: { drain: 0 }, admin: { port: ${port} },
      upstreams: { users: { targets: [{ origin: '${target.origin}' }] } }, routes: [{ path: '/*', upstream: 'users' }],
    }`,
  })
  for (const command of commands) {
    const { stdout } = await run('sh', [
      '-c',
      command.replace('curl ', 'curl -fsS ').replaceAll('9901', String(port)),
    ])
    assert.match(stdout, /"users"|"origin"/, `${command}\n${output()}`)
  }
})
