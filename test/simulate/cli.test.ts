/** `npm run simulate` as it is documented. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { checkFleet } from '../../simulate/check.ts'
import { renderScenario } from '../../simulate/docs.ts'
import { readOptions } from '../../simulate/options.ts'
import { definedBalancers } from '../../simulate/policies.ts'
import { fillPage, partsOf } from '../../simulate/report/page.ts'
import { loadScenario, scenarioNames } from '../../simulate/scenarios.ts'
import { ownHouse, ROOT } from '../support/process.ts'

const run = promisify(execFile)
const folder = await mkdtemp(join(tmpdir(), 'holdfast-simulate-'))
after(() => rm(folder, { recursive: true, force: true }))

const simulate = (...args: string[]) =>
  run(process.execPath, [join(ROOT, 'simulate.ts'), ...args], { cwd: ROOT }).catch((error) => error)
const page = () => readFile(join(ROOT, 'docs/load-balancing.md'), 'utf8')

describe('npm run simulate', () => {
  it('runs the policies that are named, draws and writes', async () => {
    const svg = join(folder, 'out.svg')
    const json = join(folder, 'out.json')
    const args = [
      '--scenario',
      'antagonists',
      '--policies',
      'random,round-robin',
      '--requests',
      '5000',
      '--seed',
      '3',
    ]
    const { stdout } = await simulate(...args, '--plot', svg, '--json', json)
    assert.match(stdout, /\| random +\|/)
    assert.match(await readFile(svg, 'utf8'), /^<svg /)
    const { figures, seed } = JSON.parse(await readFile(json, 'utf8'))
    assert.equal(seed, 3)
    assert.deepEqual(
      figures.map(({ policy }: { policy: string }) => policy),
      ['random', 'round-robin'],
    )
  })

  it('runs a fleet of the user’s: the one of the page', async () => {
    const [, fleet] = /```json\n([\s\S]*?)```/.exec(await page()) ?? assert.fail('the page has no fleet')
    const file = join(folder, 'fleet.json')
    await writeFile(file, fleet!)
    const { stdout, stderr } = await simulate(
      '--scenario',
      file,
      '--policies',
      'random',
      '--requests',
      '5000',
    )
    assert.match(stdout, /\| random +\|/, stderr)
  })

  it('runs a balancer of the user’s as soon as its plugin is there', async (t) => {
    const plugin = `import fp from 'fastify-plugin'
      export default fp(async (app) => {
        app.upstreams.defineBalancer('always-the-last', () => ({ pick: (candidates) => candidates.at(-1)! }))
      }, { name: 'always-the-last', dependencies: ['upstreams'] })`
    const house = await ownHouse(t, { 'plugins/always-the-last.ts': plugin })
    for (const part of ['simulate.ts', 'simulate'])
      await cp(join(ROOT, part), join(house, part), { recursive: true })
    const args = ['--scenario', 'even', '--policies', 'random,always-the-last', '--requests', '1000']
    const { stdout, stderr } = await run(process.execPath, ['simulate.ts', ...args], { cwd: house })
    // All of it on one of 100 targets.
    assert.match(stdout, /\| always-the-last \|.*\| +100\.00 x \|/, stderr)
  })

  it('says what is wrong, and how to put it right', async () => {
    for (const [args, message] of [
      [['--scenario', 'evn'], /no scenario is named "evn"; there are antagonists/],
      [['--policies', 'p3c'], /no balancer is named "p3c"; there are round-robin/],
      [['--requests', '5'], /--requests 5: has to be a whole number from 1000/],
      [
        ['--plot', 'nowhere/out.svg'],
        /--plot nowhere\/out\.svg: there is no folder ".*nowhere"; make it first/,
      ],
      [['--sed', '5'], /Unknown option '--sed'[\s\S]*Usage: npm run simulate/],
    ] as const) {
      const { code, stderr } = await simulate(...args)
      assert.equal(code, 1)
      assert.match(stderr, message)
    }
  })

  it('takes one task at a time', () => {
    assert.equal(readOptions(['--docs']).task, 'docs')
    assert.throws(() => readOptions(['--docs', '--theory']), /two runs; take one/)
  })

  it('does not take what it would not look at', () => {
    for (const args of [
      ['--list', '--policies', 'nope'],
      ['--list', '--load', '3'],
      ['--docs', '--seed', '5'],
      ['--docs', '--scenario', 'even'],
      ['--theory', '--requests', '5000'],
    ]) {
      const message = `${args[0]} does not look at ${args[1]}; leave it out`
      assert.throws(() => readOptions(args), { message })
    }
    assert.equal(readOptions(['--theory', '--seed', '5']).seed, 5)
    for (const seed of ['4294967296', '1e300', '', ' ', '-1', '1.5']) {
      assert.throws(
        () => readOptions([`--seed=${seed}`]),
        /has to be a whole number from 0 to 4294967295/,
        `"${seed}"`,
      )
    }
    for (const flag of ['--plot', '--json'])
      assert.throws(
        () => readOptions([flag, join(folder, 'none/out')]),
        /there is no folder .*; make it first/,
      )
  })

  it('takes options that are lists', () => {
    const list = [
      'ring-hash:on=[{"header":"x"},"identity"]',
      'p2c:load=ewma',
      'maglev:bounded={"eps":1,"floor":1}',
    ]
    assert.deepEqual(readOptions(['--policies', list.join(', ')]).policies, list)
  })
})

describe('a fleet', () => {
  it('of a scenario is one', async () => {
    for (const name of scenarioNames()) assert.ok((await loadScenario(name)).requests > 0)
  })

  it('is refused with the remedy where it is none', async () => {
    const good = await loadScenario('even')
    const [failure] = [{ targets: [1], mode: 'freezes', fromMs: 1, toMs: 2 }]
    const bursts = { kind: 'bursts', factor: 4, everyMs: 2000, forMs: 200 }
    const wrong: readonly [object, RegExp][] = [
      [{ gatways: 2 }, /^mine has 1 problem\n {2}gatways: unknown key; did you mean "gateways"\?$/],
      [{ targets: [] }, /targets: needs at least one group/],
      [{ targets: [{ count: 1.5 }] }, /targets\[0\]\.count: must be a whole number/],
      [{ targets: [{ count: 1, wieght: 5 }] }, /targets\[0\]\.wieght: unknown key; did you mean "weight"\?/],
      [{ service: { kind: 'normal' } }, /service\.kind: "normal" is not one of the choices; .*"constant"/],
      [{ service: { kind: 'lognormal', meanMs: 1 } }, /service\.sigma: is required/],
      [{ service: { kind: 'pareto', meanMs: 1, alpha: 1 } }, /alpha: must be above 1/],
      [{ arrivals: { load: 0 } }, /arrivals\.load: must be a number above 0/],
      [
        { arrivals: { load: 1, shape: { ...bursts, kind: 'burst' } } },
        /shape\.kind: "burst" .*did you mean "bursts"/,
      ],
      [
        { arrivals: { load: 1, shape: { kind: 'bursts', factor: 4 } } },
        /shape\.everyMs: is required[\s\S]*shape\.forMs: is/,
      ],
      [{ arrivals: { load: 1, shape: { ...bursts, forMs: 2000 } } }, /shape\.forMs: must be below everyMs/],
      [
        { arrivals: { load: 1, shape: { kind: 'sine', amplitude: 2, periodMs: 9 } } },
        /amplitude: must be at most 1/,
      ],
      [{ discipline: 'lifo' }, /discipline: "lifo" is not one of the choices; did you mean "fifo"/],
      [{ warmup: 1 }, /warmup: must be at most 0.99/],
      [
        { failures: [{ ...failure, targets: [100] }] },
        /failures\[0\]\.targets: there is no target 100; .* 0 to 99/,
      ],
      [
        { failures: [{ ...failure, targets: 'all' }] },
        /failures\[0\]\.targets: must be an object, is "all"; or a list/,
      ],
      [{ failures: [{ ...failure, toMs: 1 }] }, /failures\[0\]\.toMs: must be above fromMs/],
      [{ health: {} }, /health\.afterMs: is required/],
      [{ keys: { count: 'a', skew: 1 } }, /keys\.count: must be a whole number, is "a"/],
      [{ cache: { keys: 5 } }, /cache\.hit: is required/],
      [{ keys: undefined, cache: { keys: 5, hit: 0.1 } }, /cache: needs keys/],
      [{ policies: [{ load: 'ewma' }] }, /policies\[0\]: names no policy/],
      [{ requests: 1 }, /requests: must be at least 1000, is 1/],
      [{ requests: 0, gateways: 0 }, /^mine has 2 problems/],
    ]
    for (const [part, message] of wrong) {
      assert.throws(() => checkFleet({ ...good, ...part }, 'mine'), { message }, JSON.stringify(part))
    }
    assert.throws(() => checkFleet(undefined, 'mine'), /mine has 1 problem\n {2}must be an object/)
  })

  it('in a file that is none, or not there, is refused as well', async () => {
    const file = join(folder, 'broken.json')
    await writeFile(file, '{ "about": }')
    await assert.rejects(loadScenario(file), /broken\.json is no JSON: /)
    await assert.rejects(loadScenario(join(folder, 'nowhere.json')), /there is no file ".*nowhere\.json"/)
  })
})

describe('docs/load-balancing.md', () => {
  it('has a table and a plot for each scenario', async () => {
    const text = await page()
    assert.deepEqual(partsOf(text).toSorted(), scenarioNames())
    for (const name of scenarioNames()) {
      assert.ok(
        existsSync(join(ROOT, 'docs/plots', `${name}.svg`)),
        `${name}: run npm run simulate -- --docs`,
      )
      assert.ok(text.includes(`](plots/${name}.svg)`), name)
    }
  })

  it('comes out the same, byte by byte, each time', async () => {
    const balancers = await definedBalancers()
    const render = () => renderScenario('frozen', balancers, { requests: 3000 })
    assert.deepEqual(await render(), await render())
  })

  it('keeps what people wrote, and is filled between its marks only', () => {
    const text = 'a\n<!-- simulated: x -->\nold\n<!-- end -->\nb\n<!-- simulated: y -->\n<!-- end -->\n'
    const filled = fillPage(text, new Map([['x', 'new']]))
    assert.equal(
      filled,
      'a\n<!-- simulated: x -->\n\nnew\n\n<!-- end -->\nb\n<!-- simulated: y -->\n<!-- end -->\n',
    )
    assert.equal(fillPage(filled, new Map([['x', 'new']])), filled)
  })
})
