import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { loadGateway, loadSchemas, readGateway } from '../../plugins/config/load.ts'

const CONFIG = "{ upstreams: { users: { targets: [{ origin: 'http://a' }] } }, routes: [] }"

describe('the config file', () => {
  let home = ''
  before(() => {
    home = mkdtempSync(join(tmpdir(), 'holdfast-load-'))
  })
  after(() => rmSync(home, { recursive: true, force: true }))

  /** The file's path, once it is written. */
  function file(name: string, text: string): string {
    writeFileSync(join(home, name), text)
    return join(home, name)
  }

  it('is read, checked, completed and frozen', async () => {
    const loaded = await loadGateway(file('good.config.ts', `export default ${CONFIG}`))
    assert.deepEqual(loaded.problems, [])
    assert.equal(loaded.file, 'good.config.ts')
    assert.equal(loaded.config.server.bodyLimit, 10 * 1024 ** 2)
    assert.equal(loaded.config.upstreams.users?.targets[0]?.weight, 1)
    assert.ok(Object.isFrozen(loaded.config.upstreams.users?.targets[0]))
  })

  it('may be JSON', async () => {
    const config = { upstreams: { users: { targets: [{ origin: 'http://a', weight: 3 }] } }, routes: [] }
    const loaded = await loadGateway(file('good.json', JSON.stringify(config)))
    assert.deepEqual(loaded.problems, [])
    assert.equal(loaded.config.upstreams.users?.targets[0]?.weight, 3)
  })

  const BAD: [name: string, text: string | undefined, message: RegExp][] = [
    ['missing.ts', undefined, /^no such file; set GATEWAY_CONFIG to the path of your config$/],
    [
      'syntax.ts',
      'export default {\n  upstreams: { a: [ }\n}\n',
      /^cannot be loaded: Expression expected \(syntax\.ts:2:21\)$/,
    ],
    [
      'enum.ts',
      'enum A { B }\nexport default {}',
      /^cannot be loaded: .*enum.* \(enum\.ts:1:1\); types are only taken out, so write what is left/,
    ],
    [
      'throws.ts',
      "throw new Error('the vault is shut')",
      /^cannot be loaded: the vault is shut \(throws\.ts:1:7\)$/,
    ],
    ['throws-nothing.ts', 'throw Object.create(null)', /^cannot be loaded: an object$/],
    ['throws-a-text.ts', "throw 'up'", /^cannot be loaded: up$/],
    [
      'inside.ts',
      'const a = 1\nexport default { a: b }',
      /^cannot be loaded: b is not defined \(inside\.ts:2:21\)$/,
    ],
    ['map.ts', 'export default new Map()', /^exports no config/],
    ['import.ts', "import './nowhere.ts'\nexport default {}", /^cannot be loaded: [^()]*nowhere\.ts[^()]*$/],
    [
      'named.ts',
      `export const config = ${CONFIG}`,
      /^exports no config; write `export default defineGateway/,
    ],
    ['number.ts', 'export default 5', /^exports no config/],
    ['null.ts', 'export default null', /^exports no config/],
    ['broken.json', '{ "upstreams": }', /^cannot be loaded: /],
  ]
  for (const [name, text, message] of BAD) {
    it(`${name} is refused with a remedy and without a stack`, async () => {
      const path = text === undefined ? join(home, name) : file(name, text)
      const { problems, config } = await loadGateway(path)
      assert.equal(problems.length, 1)
      assert.match(problems[0]?.message ?? '', message)
      assert.doesNotMatch(problems[0]?.message ?? '', /\n\s+at /)
      // An empty gateway stands in, so that all the plugins can load and be asked as well.
      assert.deepEqual([config.upstreams, config.routes], [{}, []])
    })
  }

  it('is named by GATEWAY_CONFIG; an empty one names none', async (t) => {
    const before = process.env.GATEWAY_CONFIG
    t.after(() => {
      if (before === undefined) delete process.env.GATEWAY_CONFIG
      else process.env.GATEWAY_CONFIG = before
    })
    process.env.GATEWAY_CONFIG = file('other.config.ts', `export default ${CONFIG}`)
    assert.equal((await loadGateway()).file, 'other.config.ts')
    process.env.GATEWAY_CONFIG = ''
    assert.equal((await loadGateway()).file, 'gateway.config.ts')
  })
})

describe('schemas', () => {
  it('are picked up from the folder of a plugin, with their check', async (t) => {
    const plugins = mkdtempSync(join(tmpdir(), 'holdfast-plugins-'))
    t.after(() => rmSync(plugins, { recursive: true, force: true }))
    for (const folder of ['mine', 'targets', 'without']) mkdirSync(join(plugins, folder))
    const kit = join(import.meta.dirname, '../../plugins/config/kit.ts')
    writeFileSync(
      join(plugins, 'mine/schema.ts'),
      `import { duration, section, withDefault } from ${JSON.stringify(kit)}
       export const schema = { gateway: { mine: section({ every: withDefault(duration(), '2s') }) } }
       export const check = ({ mine }) => mine.every > 5000 ? [{ path: 'mine.every', message: 'is long' }] : []`,
    )
    writeFileSync(
      join(plugins, 'targets/schema.ts'),
      `import { text } from ${JSON.stringify(kit)}
       export const schema = { target: { origin: text() } }`,
    )
    const read = (more: object) =>
      readGateway({ upstreams: {}, routes: [], ...more }, 'my.ts', loadSchemas(plugins))
    assert.deepEqual((await read({})).config, { mine: { every: 2000 }, upstreams: {}, routes: [] } as object)
    assert.deepEqual((await read({ mine: { every: '9s' } })).problems, [
      { path: 'mine.every', message: 'is long' },
    ])
    const [problem] = (await read({ server: {} })).problems
    assert.equal(problem?.message, 'unknown key; there is "mine", "upstreams", "routes"')
  })

  it('a check that stumbles over what the schema refused adds nothing and hides nothing', async () => {
    const { problems } = await readGateway({ upstreams: { users: null }, routes: [null, new Map()] }, 'my.ts')
    assert.deepEqual(problems.map(({ path }) => path).toSorted(), [
      'routes[0]',
      'routes[1]',
      'upstreams.users',
    ])
  })
})
