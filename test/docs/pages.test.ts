/** The pages in docs/: their snippets compile, their configs are valid, their links lead somewhere. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { loadGateway } from '../../plugins/config/load.ts'
import { ownHouse, ROOT } from '../support/process.ts'
import { snippetsOf } from './snippets.ts'

const run = promisify(execFile)
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
  for (const path of configs) {
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
