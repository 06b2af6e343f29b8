/**
 * Runs the tests: `npm test`, or `npm test -- test/auth test/grpc.test.ts` for some of them.
 *
 * Node's runner gives each file a process of its own, and most of a short file's time goes into loading the gateway
 * once more. Here a dozen neighbours share one.
 */
import { spawnSync } from 'node:child_process'
import { globSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { pathToFileURL } from 'node:url'

const ROOT = resolve(import.meta.dirname, '..')
const TOGETHER = 12
const PRELOADED = ['--import', join(ROOT, 'scripts/preload.js')]

const wanted = process.argv.slice(2).map((path) => resolve(path))
const files = (wanted.length === 0 ? [import.meta.dirname] : wanted)
  .flatMap((path) => (statSync(path).isDirectory() ? globSync(join(path, '**/*.test.ts')) : path))
  .toSorted()

const bytesOf = (group: readonly string[]): number =>
  group.reduce((sum, file) => sum + statSync(file).size, 0)

/**
 * Neighbours together, and what takes long first, so that nobody waits for it at the end: files at the top, which start
 * gateways by the dozen, each alone, then the groups by how much there is in them.
 */
function grouped(): string[][] {
  const alone = files.filter((file) => dirname(file) === import.meta.dirname)
  const rest = files.filter((file) => !alone.includes(file))
  const groups = alone.map((file) => [file])
  const together: string[][] = []
  for (let at = 0; at < rest.length; at += TOGETHER) together.push(rest.slice(at, at + TOGETHER))
  return [...groups, ...together.toSorted((a, b) => bytesOf(b) - bytesOf(a))]
}

/** Node begins with the first test that it hears of. Loading the rest must not hold it up in the middle. */
function moduleOf(group: readonly string[]): string {
  return [
    "import { before, test } from 'node:test'",
    // One that cannot be loaded fails, and its neighbours run.
    'const load = (file) => import(file).catch((error) => test(file, () => { throw error }))',
    'const loading = Promise.withResolvers()',
    'before(() => loading.promise)',
    ...group.map((file) => `await load('${pathToFileURL(file)}')`),
    'loading.resolve()',
  ].join('\n')
}

const folder = mkdtempSync(join(tmpdir(), 'holdfast-tests-'))
process.on('exit', () => rmSync(folder, { recursive: true }))
const modules = grouped().map((group, index) => {
  const path = join(folder, `group-${index + 1}.mjs`)
  writeFileSync(path, moduleOf(group))
  return path
})

// On a new machine nothing is compiled yet: once for all, and not by each of those that begin together.
if (wanted.length === 0)
  spawnSync(process.execPath, [...PRELOADED, join(ROOT, 'scripts/check.ts')], { cwd: ROOT })

const results = run({
  files: modules,
  concurrency: 4,
  timeout: 180_000,
  execArgv: PRELOADED,
})
results.on('test:fail', () => {
  process.exitCode = 1
})
results.compose(new spec()).pipe(process.stdout)
