import assert from 'node:assert/strict'
import { test } from 'node:test'
import { regexProblems } from '../../plugins/config/regex-safety.ts'

test('a regex that backtracks catastrophically is told, with an attack and a remedy', async () => {
  const [exponential, polynomial] = await regexProblems([
    { source: '\\/(a+)+', flags: '', whole: true },
    { source: '\\/.*a.*a.*b', flags: 'i', whole: true },
  ])
  assert.match(exponential ?? '', /exponential.*'a'\.repeat.*write \[\^\/\]\+/)
  assert.match(polynomial ?? '', /polynomial/)
})

test('a path that backtracks only where capitals are small letters is told: look-alikes are found so', async () => {
  const source = '\\/[a-z]*[A-Z]*_'
  const [path, header] = await regexProblems([
    { source, flags: '', whole: true },
    { source: `^${source}$`, flags: '' },
  ])
  assert.match(path ?? '', /backtracks catastrophically/)
  assert.equal(header, undefined)
})

test('a regex that cannot be compiled is told', async () => {
  const [problem] = await regexProblems([{ source: '(', flags: '' }])
  assert.match(problem ?? '', /cannot be compiled/)
})

test('what people write for paths and headers passes, and so does what is not known', async () => {
  const fine = [
    { source: '\\/v\\d+\\/.*', flags: '', whole: true },
    { source: '\\/(?<id>[^\\/]+)\\/orders\\/([0-9]+)', flags: 'v', whole: true },
    { source: '\\/a\\/.*', flags: 'gi', whole: true },
    { source: '^2\\.', flags: '' },
    { source: 'Mobile|Android', flags: 'i' },
  ]
  assert.deepEqual(
    await regexProblems(fine),
    fine.map(() => undefined),
  )
})

test('no regex, no work', async () => {
  assert.deepEqual(await regexProblems([]), [])
})
