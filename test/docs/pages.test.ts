/** The pages in docs/: their snippets compile, their configs are valid, their links lead somewhere. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { loadGateway, loadSchemas } from '../../plugins/config/load.ts'
import { createAuthority } from '../support/certificates.ts'
import { ownHouse, ROOT } from '../support/process.ts'
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
