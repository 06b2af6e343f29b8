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

function sources(folder: string): Source[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => ({ file: relative(ROOT, path), lines: readFileSync(path, 'utf8').split('\n') }))
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

  it(`has no file above ${LONGEST} lines: it would be two`, () => {
    const long = plugins.filter(({ lines }) => lines.length - 1 > LONGEST)
    assert.deepEqual(
      long.map(({ file, lines }) => `${file}: ${lines.length - 1}`),
      [],
    )
  })
})
