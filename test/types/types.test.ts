/**
 * `*.types.ts` here are proved by `tsc` and not by running. They are a program of their own: what they declare, as a
 * user's plugins would, must not turn up in the editor of somebody who writes a config.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'

const ROOT = join(import.meta.dirname, '../..')

/** What `tsc` has to say about a project; '' if nothing. */
function tsc(...parameters: string[]): string {
  const command = join(ROOT, 'node_modules/typescript/bin/tsc')
  const { stdout, stderr } = spawnSync(process.execPath, [command, ...parameters], {
    cwd: ROOT,
    encoding: 'utf8',
  })
  return stdout + stderr
}

describe('what must not compile', () => {
  const files = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.types.ts'))

  it('does not, and the rest does', { timeout: 60_000 }, () => {
    assert.ok(files.length >= 2)
    assert.equal(tsc('-p', 'test/types'), '')
  })

  it('is no part of the project that a config belongs to', { timeout: 60_000 }, () => {
    const listed = tsc('--listFilesOnly').split('\n')
    assert.ok(listed.some((file) => file.endsWith('gateway.config.ts')))
    assert.deepEqual(
      listed.filter((file) => file.includes('.types.ts')),
      [],
    )
  })

  for (const name of files) {
    it(`says in ${name} what is wrong with each line`, () => {
      const lines = readFileSync(join(import.meta.dirname, name), 'utf8').split('\n')
      const expected = lines.filter((line) => line.includes('// @ts-expect-error'))
      for (const line of expected) assert.match(line, /^\s*\/\/ @ts-expect-error \w.{5,}$/)
      assert.ok(expected.length > 0)
    })
  }
})
