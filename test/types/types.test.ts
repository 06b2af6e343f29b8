/**
 * `*.types.ts` here are proved by `tsc` (`npm run types`), and not by running: this test only sees to it that
 * each `@ts-expect-error` stands over one statement of its own, and that tsconfig.json includes them.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'

describe('what must not compile', () => {
  const files = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.types.ts'))

  it('is part of what tsc checks', () => {
    const tsconfig = readFileSync(join(import.meta.dirname, '../../tsconfig.json'), 'utf8')
    assert.ok((JSON.parse(tsconfig) as { include: string[] }).include.includes('test'))
    assert.ok(files.length >= 2)
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
