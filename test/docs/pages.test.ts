/** The pages in docs/: their snippets compile, their configs are valid, their links lead somewhere. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { loadGateway, loadSchemas } from '../../plugins/config/load.ts'
import { createAuthority } from '../support/certificates.ts'
import { freePort } from '../support/ports.ts'
import { ownHouse, ROOT, startProcess } from '../support/process.ts'
import { deadOrigin, startTarget } from '../support/target.ts'
import { until } from '../support/until.ts'
import { snippetsOf } from './snippets.ts'

const run = promisify(execFile)
// What the pages take from the environment, and refuse to go without.
process.env['SESSION_SECRET'] ??= 'a secret of the tests alone'
const pages = readdirSync(join(ROOT, 'docs'))
  .filter((name) => name.endsWith('.md'))
  .map((name) => `docs/${name}`)

/** The snippets of all pages as files of one house: each page has a `gateway.config.ts` of its own, under its name. */
async function filesOfPages(): Promise<Record<string, string>> {
  const files: Record<string, string> = {}
  for (const page of pages) {
    for (const [number, { path, code }] of (await snippetsOf(page)).entries()) {
      const own = path === 'gateway.config.ts' ? `${page.slice(5, -3)}-${number}.config.ts` : path
      assert.ok(!(own in files), `${page}: another page has a snippet for ${own} too`)
      files[own] = code
    }
  }
  return files
}

test('every TypeScript block of a page says which file it is', async () => {
  for (const page of pages) {
    const text = await readFile(join(ROOT, page), 'utf8')
    assert.equal((await snippetsOf(page)).length, text.match(/^```ts$/gm)?.length ?? 0, page)
  }
})

test('the snippets of all pages compile together, and their configs are valid', async (t) => {
  const files = await filesOfPages()
  const folder = await ownHouse(t, files)
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
  const { stdout } = await run(process.execPath, [tsc, '-p', folder]).catch((error) => error)
  assert.equal(stdout, '')
  const configs = Object.keys(files).filter((path) => path.endsWith('.config.ts'))
  assert.ok(configs.length > 0)
  const authority = createAuthority()
  for (const [prefix, host] of [
    ['', 'gateway.example.com'],
    ['shop-', 'shop.example.com'],
  ] as const) {
    const { cert, key } = authority.issue(host)
    await writeFile(join(folder, `${prefix}cert.pem`), cert)
    await writeFile(join(folder, `${prefix}key.pem`), key)
  }
  for (const path of configs) {
    await writeFile(join(folder, path), (files[path] as string).replaceAll('/etc/tls/', `${folder}/`))
    const { problems } = await loadGateway(join(folder, path))
    assert.deepEqual(problems, [], path)
  }
})

test('the plugins of docs/plugins.md do what it says', async (t) => {
  const snippets = await snippetsOf('docs/plugins.md')
  const target = await startTarget(t, ({ url, headers }, response) => {
    response.statusCode = url === '/full' ? 507 : 200
    response.end(String(headers['x-client-port']))
  })
  const [port, dead] = [await freePort(), await deadOrigin()]
  const folder = await ownHouse(t, {
    ...Object.fromEntries(snippets.map(({ path, code }) => [path, code])),
    'gateway.config.ts': `import { defineGateway } from './plugins/config/define.ts'
export default defineGateway({
  server: { drain: 0 },
  admin: { port: ${port} },
  upstreams: {
    one: { targets: [{ origin: '${target.origin}' }] },
    dying: { targets: [{ origin: '${dead}' }, { origin: '${target.origin}' }], outlierDetection: false },
    dead: { targets: [{ origin: '${dead}' }], panicThreshold: 0 },
  },
  routes: [
    { path: '/dying', upstream: 'dying' },
    { path: '/dead', upstream: 'dead' },
    { path: '/*', upstream: 'one', blockedTenants: ['acme'] },
  ],
})`,
  })
  await rm(join(folder, 'plugins/failover'), { recursive: true })
  const { url, output } = await startProcess(t, { folder })
  const ask = (path: string, headers = {}) => fetch(`${url}${path}`, { headers })
  const codeOf = async (response: Response) => ((await response.json()) as { code: string }).code
  const alive = await ask('/x')
  assert.equal(alive.status, 200, output())
  assert.match(await alive.text(), /^\d+$/, 'onAttempt')
  const blocked = await ask('/x', { 'x-tenant': 'acme' })
  assert.deepEqual([blocked.status, await codeOf(blocked)], [403, 'GTW_TENANT_BLOCKED'])
  for (let i = 0; i < 4; i++) assert.equal((await ask('/dying')).status, 200, 'one more try')
  const page = await ask('/dead', { accept: 'text/html' })
  assert.deepEqual([page.status, page.headers.get('content-type')], [502, 'text/html; charset=utf-8'])
  assert.match(await page.text(), /<h1>Bad Gateway<\/h1>/)
  assert.equal(await codeOf(await ask('/dead')), 'GTW_UPSTREAM_UNREACHABLE')
  const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  assert.match(metrics, /^holdfast_slow_answers_total\{upstream="one"\} 0$/m)
  assert.match(metrics, /^holdfast_targets_taken_out_total \d+$/m)
  assert.equal((await ask('/full')).status, 507)
  await until('the log to tell of it', () => output().includes('"event":"resting"'))
  assert.equal(await codeOf(await ask('/x')), 'GTW_NO_TARGET')
})

test('every link to a file leads to one', async () => {
  for (const page of pages) {
    const text = await readFile(join(ROOT, page), 'utf8')
    for (const [, link] of text.matchAll(/\]\((?!https?:)([^)#]+)\)/g)) {
      assert.ok(existsSync(join(ROOT, 'docs', link as string)), `${page}: ${link}`)
    }
  }
})

test('every key of the config is told of in a page', async () => {
  const texts = await Promise.all([...pages, 'README.md'].map((page) => readFile(join(ROOT, page), 'utf8')))
  const told = texts.join('\n')
  const { files } = await loadSchemas()
  const keys = files.flatMap(({ schema = {} }) => Object.values(schema).flatMap(Object.keys))
  assert.ok(keys.length > 60, `${keys.length} keys`)
  assert.deepEqual(
    keys.filter((key) => !new RegExp(`\\b${key}\\b`).test(told)),
    [],
  )
})
