/** The linter refuses every arrow that the house forbids, and says what to do instead. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, describe, it } from 'node:test'

const ROOT = join(import.meta.dirname, '..')
const CONCERN = /meet in upstreams\/contract\.ts/
const PURE = /a pure file imports neither/
const TRANSPORT = /only plugins\/transport does upstream I\/O/
const CLOCK = /global variable (Date|performance)/

/** A file, what stands in it, and what the linter says of it: nothing, where it is allowed. */
const CASES: readonly (readonly [file: string, code: string, refusal?: RegExp])[] = [
  // 1. Pure files.
  ['plugins/health/a.ts', "export * as a from 'fastify'", PURE],
  ['plugins/health/b.ts', "export * as a from 'fastify-plugin'", PURE],
  ['plugins/health/c.ts', "import type { Pool } from 'undici'\nexport type P = Pool", PURE],
  ['plugins/health/d.ts', "export * as a from 'node:fs'", PURE],
  ['plugins/health/e.ts', "export * as a from 'node:timers/promises'", PURE],
  ['plugins/health/f.ts', "export default await import('node:fs')", PURE],
  ['plugins/health/deep/a.ts', "export * as a from 'node:fs'", PURE],
  ['plugins/upstreams/a.ts', "export * as a from 'node:fs'", PURE],
  ['plugins/health/g.ts', 'export default Date.now()', CLOCK],
  ['plugins/health/h.ts', 'export default performance.now()', CLOCK],
  ['plugins/health/i.ts', 'export default Math.random()', /is handed its dice/],
  ['plugins/health/j.ts', 'export default setTimeout(String, 1)', /global variable setTimeout/],
  ['plugins/health/k.ts', 'export default setInterval(String, 1)', /global variable setInterval/],
  ['plugins/health/l.ts', 'export default process.pid', /global variable process/],
  ['plugins/health/deep/b.ts', 'export default Date.now()', CLOCK],
  ['plugins/upstreams/b.ts', 'export default Math.random()', /is handed its dice/],
  ['plugins/health/index.ts', "export * as a from 'node:fs'\nexport default [Date.now(), Math.random()]"],
  ['plugins/health/schema.ts', "export * as a from 'node:fs'"],
  ['plugins/health/m.ts', 'export default Math.floor(2.5)'],
  // 2. Concerns do not know each other.
  ['plugins/health/n.ts', "export * as a from '../failover/retry.ts'", CONCERN],
  ['plugins/health/o.ts', "export * as a from '../upstreams/registry.ts'", CONCERN],
  ['plugins/health/p.ts', "export default await import('../failover/retry.ts')", CONCERN],
  ['plugins/failover/index.ts', "export * as a from '../health/n.ts'", CONCERN],
  ['plugins/failover/schema.ts', "export * as a from '../health/n.ts'", CONCERN],
  ['plugins/health/deep/c.ts', "export * as a from '../../failover/retry.ts'", CONCERN],
  ['plugins/transport/a.ts', "export * as a from '../routing/pattern.ts'", CONCERN],
  ['plugins/health/q.ts', "export * as a from './n.ts'\nexport * as b from '../upstreams/contract.ts'"],
  [
    'plugins/health/r.ts',
    "export * as a from '../upstreams/errors.ts'\nexport * as b from '../config/kit.ts'",
  ],
  ['plugins/health/deep/d.ts', "export * as a from '../n.ts'\nexport * as b from '../../config/kit.ts'"],
  ['plugins/config/a.ts', "export * as a from '../health/n.ts'", /config\/ imports no concern/],
  // 3. The registry knows nobody.
  ['plugins/upstreams/c.ts', "export * as a from '../health/n.ts'", /upstreams\/ imports no concern/],
  ['plugins/upstreams/index.ts', "export * as a from '../health/n.ts'", /upstreams\/ imports no concern/],
  ['plugins/upstreams/d.ts', "export * as a from '../config/kit.ts'"],
  // 4. One place for upstream I/O, one for reply.from.
  ['plugins/auth/index.ts', "export * as a from 'undici'", TRANSPORT],
  ['plugins/routing/index.ts', "export * as a from 'undici'", TRANSPORT],
  ['plugins/auth/schema.ts', "export * as a from '@fastify/reply-from'", TRANSPORT],
  ['plugins/config/b.ts', "export * as a from 'undici'", TRANSPORT],
  ['routes/a.ts', "export * as a from 'undici'", TRANSPORT],
  ['plugins/transport/b.ts', "export * as a from 'undici'\nexport * as b from '@fastify/reply-from'"],
  [
    'plugins/admin/index.ts',
    "export const a = (reply: any) => reply.from('/')",
    /only plugins\/routing says/,
  ],
  ['routes/b.ts', "export const a = (reply: any) => reply.from('/')", /only plugins\/routing says/],
  ['plugins/routing/forward.ts', "export const a = (reply: any) => reply.from('/')"],
  ['plugins/health/s.ts', 'export default Array.from([1])'],
  // 5. Nobody imports those who only listen.
  ['plugins/health/t.ts', "export * as a from '../metrics/histogram.ts'", CONCERN],
  ['routes/metrics.ts', "export * as a from '../plugins/metrics/histogram.ts'", /they subscribe/],
  ['app.ts', "export * as a from './plugins/alerts/rules.ts'", /they subscribe/],
]

describe('the linter holds to the house', () => {
  const house = mkdtempSync(join(tmpdir(), 'holdfast-lint-'))
  after(() => rmSync(house, { recursive: true, force: true }))
  cpSync(join(ROOT, 'biome.json'), join(house, 'biome.json'))
  cpSync(join(ROOT, 'lint'), join(house, 'lint'), { recursive: true })
  // What imports point at need not be there for these rules; a file of the case's own is.
  for (const [file, code] of CASES) {
    mkdirSync(dirname(join(house, file)), { recursive: true })
    writeFileSync(join(house, file), `${code}\n`)
  }
  const { stdout } = spawnSync(
    join(ROOT, 'node_modules/.bin/biome'),
    ['lint', '--vcs-enabled=false', '--reporter=json', '--max-diagnostics=none'],
    { cwd: house, encoding: 'utf8' },
  )
  const { diagnostics } = JSON.parse(stdout) as {
    diagnostics: { message: string; category: string; location: { path: string } }[]
  }

  for (const [file, code, refusal] of CASES) {
    it(`${refusal === undefined ? 'allows' : 'refuses'} ${file}: ${code.split('\n')[0]}`, () => {
      const told = diagnostics
        .filter(({ location }) => location.path === file)
        .filter(({ category }) => /^plugin|noRestricted/.test(category))
        .map(({ message }) => message)
      if (refusal === undefined) assert.deepEqual(told, [])
      else assert.match(told.join('\n'), refusal)
    })
  }
})
