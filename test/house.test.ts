/** What the house forbids and the linter cannot say. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { describe, it } from 'node:test'

const ROOT = join(import.meta.dirname, '..')
const LONGEST = 250

interface Source {
  readonly file: string
  readonly lines: readonly string[]
}

function source(file: string): Source {
  return { file, lines: readFileSync(join(ROOT, file), 'utf8').split('\n') }
}

function sources(folder: string): Source[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => source(relative(ROOT, join(entry.parentPath, entry.name))))
}

/** `file:line` of every line that the pattern matches, comments left aside. */
function places(of: readonly Source[], pattern: RegExp, allowed?: RegExp): string[] {
  return of
    .filter(({ file }) => allowed === undefined || !allowed.test(file))
    .flatMap(({ file, lines }) =>
      lines.flatMap((line, i) =>
        pattern.test(line) && !/^\s*(\/\/|\/?\*)/.test(line) ? [`${file}:${i + 1} ${line.trim()}`] : [],
      ),
    )
}

const plugins = sources('plugins')
const ours = [...plugins, ...sources('routes')]

describe('the house', () => {
  it('is read by these tests at all', () => {
    assert.ok(plugins.some(({ file }) => file === 'plugins/routing/index.ts'))
    assert.equal(places(plugins, /reply\.from\(/).length > 0, true)
  })

  it('throws dice in index.ts files only', () => {
    assert.deepEqual(places(ours, /\bMath\s*\.\s*random\b/, /\/index\.ts$/), [])
  })

  it('says reply.from in plugins/routing only', () => {
    assert.deepEqual(places(ours, /\.from\('?\/|reply\s*\.from\b/, /^plugins\/routing\//), [])
  })

  it('keeps no state that can change at module level', () => {
    assert.deepEqual(places(ours, /^(export )?(let|var) /), [])
    // An empty collection at module level is there to be filled.
    assert.deepEqual(
      places(
        ours,
        /^(export )?const [\w$]+(: (?!Readonly|readonly)[^=]*)? = (new (Weak)?(Map|Set)(<.*>)?\(\)|\[\]|\{\})$/,
      ),
      [],
    )
  })

  it('starts no timer while its modules load', () => {
    assert.deepEqual(places(ours, /^(await )?set(Timeout|Interval)\(/), [])
  })

  it('has no policy that waits', () => {
    assert.deepEqual(places(ours, /\basync (pick|decide|allows|share|admit|onTargets)\b/), [])
  })

  it('finds a `schema` in every schema.ts', () => {
    for (const { file, lines } of plugins) {
      const text = lines.join('\n')
      if (!file.endsWith('schema.ts')) continue
      assert.match(text, /export const schema\b/, `${file} exports no \`schema\`, so its keys are unknown`)
    }
  })

  it('needs nothing that an install for production leaves out, Node included', () => {
    const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
    const files = [...ours, ...sources('scripts'), ...['app.ts', 'simulate.ts'].map(source)]
    const imported = files.flatMap(({ lines }) =>
      lines.flatMap(
        (line) => /^(?!import type).*(?:from|import) '((?:@[\w-]+\/)?[\w-]+)/.exec(line)?.[1] ?? [],
      ),
    )
    const missing = new Set(['node', ...imported].filter((name) => !(name in dependencies)))
    assert.deepEqual([...missing], [])
    assert.ok(imported.includes('fastify') && imported.includes('undici'))
  })

  it(`has no file above ${LONGEST} lines: it would be two`, () => {
    const long = plugins.filter(({ lines }) => lines.length - 1 > LONGEST)
    assert.deepEqual(
      long.map(({ file, lines }) => `${file}: ${lines.length - 1}`),
      [],
    )
  })
})
