/** `npm run top`: what it shows, by exact text; and the program itself, in pipes and in a pseudo terminal. */
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import {
  chosen,
  type Look,
  type Pane,
  rowsOf,
  standingOfTarget,
  standingOfUpstream,
} from '../../scripts/top/look.ts'
import { readOptions } from '../../scripts/top/options.ts'
import { FIRST_VIEW, keysOf, pressed, type State, type View } from '../../scripts/top/state.ts'
import { painted } from '../../scripts/top/terminal.ts'
import { amount, cut, duration, fit, latency, percent, safe, width } from '../../scripts/top/text.ts'
import { frame } from '../../scripts/top/view.ts'
import { freePort } from '../support/ports.ts'
import { ROOT, startProcess } from '../support/process.ts'
import { deadOrigin, listen, startTarget } from '../support/target.ts'
import { until } from '../support/until.ts'
import { ask } from '../transport/support.ts'
import { inTerminal } from './screen.ts'
import { lookOf, routeOf, targetOf, upstreamOf } from './support.ts'

const TOP = join(ROOT, 'scripts/top.ts')
const SIZE = { columns: 80, rows: 24 }

const stateOf = (look: Look | undefined, view: Partial<View> = {}, more: Partial<State> = {}): State => ({
  address: 'http://127.0.0.1:9901',
  view: { ...FIRST_VIEW, ...view },
  look,
  before: undefined,
  unreachable: undefined,
  ...more,
})

function screenOf(state: State, size = SIZE, colours = false): string[] {
  const { look, before, view } = state
  const rows = look === undefined ? [] : chosen(rowsOf(look, before, view.pane), view.sort, view.filter)
  return frame(state, rows, size).map((line) => painted(line, colours))
}

const ALERTS = [
  { name: 'errors', state: 'firing', labels: { severity: 'critical' }, silenced: false },
  { name: 'slow', state: 'firing', labels: { severity: 'warning', route: '/users/*' }, silenced: true },
  { name: 'busy', state: 'pending', labels: { severity: 'warning' }, silenced: false },
]

/** The gateway of the page. */
function example(): { look: Look; before: Look } {
  const targets = (count: number) => [
    targetOf('http://10.0.0.1:8080', { inflight: 3, attempts: 1000 + count, window: { rate: 205 } }),
    targetOf('http://10.0.0.2:8080', {
      inflight: 1,
      attempts: 900,
      state: 'out',
      vetoes: { 'outlier-detection': 'unhealthy' },
      window: { rate: 0.8, errorRatio: 1, p50Ms: 1003, p95Ms: 1003, p99Ms: 1003 },
    }),
    targetOf('http://10.0.0.3:8080', {
      share: 0.4,
      slowedBy: ['slow-start'],
      attempts: 20 + count / 2,
      window: { rate: 88 },
    }),
    targetOf('http://10.0.1.1:8080', { tier: 1, state: 'out', attempts: 0, window: { rate: 0 } }),
  ]
  const at = (count: number, at: number) =>
    lookOf(
      {
        routes: [
          routeOf('api.example.com/users/*', 80_000 + count, { rate: 294, errorRatio: 0.003 }),
          routeOf('/search', 9000, { rate: 121, errorRatio: 0.0002, p50Ms: 31, p95Ms: 80, p99Ms: 1240 }),
          routeOf('none', 12, { rate: 0 }),
          routeOf('local', 3, { rate: 0 }),
        ],
        upstreams: [
          upstreamOf('users', targets(count), { requests: 80_000 + count }, { rate: 294, errorRatio: 0.003 }),
          upstreamOf('search', [targetOf('http://10.0.2.1:9200', { window: { rate: 121 } })], {
            requests: 9000,
          }),
        ],
      },
      { at, alerts: ALERTS },
    )
  return { before: at(0, 1000), look: at(300, 2000) }
}

describe('what top shows', () => {
  it('is a table of routes, upstreams or targets that fits into 80 x 24, as its page has it', async () => {
    const { look, before } = example()
    const page = await readFile(join(ROOT, 'docs/top.md'), 'utf8')
    for (const pane of ['routes', 'targets'] as const) {
      const lines = screenOf(stateOf(look, { pane }, { before }))
      assert.equal(lines.length, 24)
      for (const line of lines) assert.ok(line.length <= 80, line)
      const shown = lines.filter((line) => line !== '').join('\n')
      assert.ok(page.includes(`\`\`\`\n${shown}\n\`\`\``), `docs/top.md does not show\n${shown}`)
    }
    const upstreams = screenOf(stateOf(look, { pane: 'upstreams' }, { before })).slice(5, 9)
    assert.deepEqual(upstreams, [
      'routes  upstreams  targets  2 by rate',
      'UPSTREAM          NOW/S RATE/S ERRORS    P95    P99  BUSY  USABLE STATE',
      'users               300    294   0.3%  9.0ms   21ms     4     2/4',
      'search                0      8     0%  9.0ms   21ms     0     1/1 healthy',
    ])
  })

  it('fits into any terminal, with what matters', () => {
    const { look, before } = example()
    for (const pane of ['routes', 'upstreams', 'targets'] as const) {
      for (let columns = 1; columns < 200; columns += 7) {
        for (const rows of [1, 2, 5, 9, 24, 60]) {
          const lines = screenOf(stateOf(look, { pane }, { before }), { columns, rows })
          assert.equal(lines.length, rows)
          for (const line of lines) assert.ok(width(line) <= columns, `${columns}: ${line}`)
        }
      }
    }
    const wide = screenOf(stateOf(look, { pane: 'targets' }, { before }), { columns: 120, rows: 24 })
    for (const head of ['NOW/S', 'P50', 'P95', 'TIER', 'STATE']) assert.ok(wide[6]?.includes(head), head)
    const narrow = screenOf(stateOf(look, { pane: 'targets' }, { before }), { columns: 73, rows: 24 })
    for (const head of ['RATE/S', 'ERRORS', 'P99', 'STATE']) assert.ok(narrow[6]?.includes(head), head)
  })

  it('says how a target and an upstream stand', () => {
    const target = (more: Parameters<typeof targetOf>[1]) => standingOfTarget(targetOf('http://a', more)).text
    assert.equal(target({}), 'healthy')
    assert.equal(target({ state: 'draining', vetoes: { 'health-check': 'unhealthy' } }), 'draining')
    assert.equal(target({ state: 'out', vetoes: { 'outlier-detection': 'unhealthy' } }), 'ejected')
    assert.equal(
      target({ state: 'out', vetoes: { 'circuit-breaker': 'barred', x: 'unhealthy' } }),
      'breaker open',
    )
    assert.equal(target({ state: 'out', vetoes: { 'health-check': 'unhealthy' } }), 'unhealthy')
    assert.equal(target({ state: 'out', vetoes: { 'health-check': 'unchecked' } }), 'unchecked')
    assert.equal(target({ state: 'out', vetoes: { mine: 'barred' } }), 'out: mine')
    assert.equal(target({ state: 'out' }), 'standby')
    assert.equal(target({ vetoes: { 'health-check': 'unhealthy' } }), 'used in panic')
    assert.equal(target({ share: 0.25, slowedBy: ['slow-start'] }), 'slow start 25%')
    assert.equal(target({ share: 0.1, slowedBy: ['outlier-detection'] }), 'doubted 10%')
    assert.equal(target({ lastEvent: { name: 'breaker-half-open', why: '', secondsAgo: 1 } }), 'half-open')
    const upstream = (more: Parameters<typeof upstreamOf>[2]) =>
      standingOfUpstream(upstreamOf('a', [targetOf('http://a')], more)).text
    assert.equal(upstream({}), 'healthy')
    assert.equal(upstream({ eligible: 0, panic: true }), 'no target')
    assert.equal(upstream({ panic: true }), 'panic')
    assert.equal(upstream({ tiersInUse: [0, 1] }), 'tiers 0, 1')
    assert.equal(upstream({ size: 2 }), '')
  })

  it('tells the rate of now from the look before, and nothing across a restart', () => {
    const look = (requests: number, at: number, uptimeSeconds: number) =>
      lookOf({ routes: [routeOf('/a', requests), routeOf(`/only-${at}`)], uptimeSeconds }, { at })
    const now = (after: Look, before?: Look) => rowsOf(after, before, 'routes').map((row) => row.perSecond)
    assert.deepEqual(now(look(150, 3000, 12), look(50, 1000, 10)), [50, undefined])
    assert.deepEqual(now(look(10, 3000, 1), look(5, 1000, 10)), [undefined, undefined])
    assert.deepEqual(now(look(10, 3000, 12), look(50, 1000, 10)), [undefined, undefined])
    assert.deepEqual(now(look(10, 3000, 12)), [undefined, undefined])
  })

  it('says since when the gateway is not reachable, and goes on showing what it knew', () => {
    const since = new Date(2026, 10, 25, 12, 3, 4)
    const unreachable = { since, why: 'connection refused' }
    const status = 'not reachable since 12:03:04, trying again: connection refused'
    const lines = screenOf(stateOf(example().look, {}, { unreachable }))
    assert.equal(lines[4], status)
    assert.ok(lines[7]?.startsWith('api.example.com/users/*'))
    assert.equal(screenOf(stateOf(undefined, {}, { unreachable }))[1], status)
  })

  it('lets no control character through to the terminal, wherever it stands', () => {
    const evil = '\x1b]0;owned\x07\x9b2J\r\n\u202eabc\u2028\ud800'
    const look = lookOf(
      {
        routes: [routeOf(evil, 1, { rate: 1 })],
        upstreams: [upstreamOf(evil, [targetOf(evil, { state: 'out', vetoes: { [evil]: 'barred' } })])],
      },
      { alerts: [{ name: evil, state: 'firing', labels: { severity: evil, route: evil }, silenced: false }] },
    )
    ;(look.stats.gateway as { version: string }).version = evil
    const unreachable = { since: new Date(), why: evil }
    for (const pane of ['routes', 'upstreams', 'targets'] as const) {
      for (const at of [look, undefined]) {
        const state = stateOf(at, { pane, filter: evil }, { unreachable, address: evil })
        // biome-ignore lint/suspicious/noControlCharactersInRegex: none of them may come through
        assert.doesNotMatch(screenOf(state).join(''), /[\x00-\x1f\x7f-\x9f\u202e\u2028\ud800]/)
      }
    }
    assert.equal(safe('\x1b[2Jé漢'), '?[2Jé漢')
  })

  it('colours only what should be noticed, and only if it may', () => {
    const { look } = example()
    const targets = stateOf(look, { pane: 'targets' })
    const coloured = screenOf(targets, SIZE, true).join('\n')
    for (const text of [
      '\x1b[31m ejected       \x1b[0m',
      '\x1b[33m slow start 40%\x1b[0m',
      '\x1b[31m2 firing: errors (critical), slow /users/* (warning, silenced)\x1b[0m',
    ])
      assert.ok(coloured.includes(text), text)
    assert.ok(!screenOf(targets).join('\n').includes('\x1b'))
  })

  it('formats only the rows that are seen: a frame of ten thousand targets takes about as long as one of ten', () => {
    let formatted = 0
    const many = (count: number): Look => {
      const targets = Array.from({ length: count }, (_, i) => {
        const target = targetOf(`http://10.0.${i >> 8}.${i & 255}:80`, { window: { rate: i } })
        const window = { ...(target.windows?.['1m'] as object) }
        const counting = Object.defineProperty(window, 'p95Ms', { enumerable: true, get: () => ++formatted })
        return {
          ...target,
          windows: { '1m': counting, '5m': counting } as NonNullable<typeof target.windows>,
        }
      })
      return lookOf({ upstreams: [upstreamOf('big', targets)] })
    }
    const look = many(10_000)
    const rows = chosen(rowsOf(look, undefined, 'targets'), 'rate', '')
    assert.equal(formatted, 0)
    const lines = frame(stateOf(look, { pane: 'targets', first: 5000 }), rows, { columns: 120, rows: 24 })
    assert.equal(formatted, 16)
    assert.equal(painted(lines[5] ?? [], false), 'routes  upstreams  targets  5001-5016 of 10000 by rate')
    assert.match(painted(lines[7] ?? [], false), /^http:\/\/10\.0\.19\.135:80 /)
  })
})

describe('texts', () => {
  it('are as wide as they are on a terminal', () => {
    assert.deepEqual(['abc', 'é', 'e\u0301', '漢字', '🚀', 'Ω'].map(width), [3, 1, 1, 4, 2, 1])
    assert.equal(cut('漢字漢字', 6), '漢字~')
    assert.equal(fit('漢字漢字', 6), '漢字~ ')
    assert.equal(fit('ab', 4, 'right'), '  ab')
    assert.deepEqual(
      [0, 1, 2].map((columns) => cut('abc', columns)),
      ['', '~', 'a~'],
    )
  })

  it('have numbers in few characters, and never 0 for what is not', () => {
    assert.deepEqual([0, 0.04, 3.44, 9.96, 412.4, 9999.6, 12_345, 1_234_567, null].map(amount), [
      ...['0', '<0.1', '3.4', '10', '412', '10.0k', '12.3k', '1.2M', '-'],
    ])
    assert.deepEqual([0, 0.00001, 0.0021, 0.0996, 1, null].map(percent), [
      '0%',
      '<0.1%',
      '0.2%',
      '10%',
      '100%',
      '-',
    ])
    assert.deepEqual([0.04, 9.94, 9.96, 999.4, 999.6, 9996, 61_000, null].map(latency), [
      ...['0.0ms', '9.9ms', '10ms', '999ms', '1.00s', '10s', '61s', '-'],
    ])
    assert.deepEqual([0, 59.9, 192, 18_190, 1_054_800].map(duration), [
      '0s',
      '59s',
      '3m 12s',
      '5h 3m',
      '12d 5h',
    ])
  })
})

describe('keys', () => {
  const after = (typed: string, from: Partial<View> = {}, found = 100, visible = 10): View =>
    keysOf(typed).reduce((view, key) => pressed(view, key, found, visible), { ...FIRST_VIEW, ...from })

  it('change the pane, the order, the filter and what is seen', () => {
    const pane = (typed: string, from: Pane = 'routes') => after(typed, { pane: from }).pane
    assert.deepEqual(
      ['\t', '\t\t', '\t\t\t', '\x1b[Z', '2', '3', '1'].map((typed) => pane(typed)),
      [...['upstreams', 'targets', 'routes', 'targets', 'upstreams', 'targets', 'routes']],
    )
    assert.deepEqual(
      ['e', 'p', 'n', 'er', 's', 'ss'].map((typed) => after(typed).sort),
      [...['errors', 'p99', 'name', 'rate', 'errors', 'p99']],
    )
    const first = (typed: string, from = 0) => after(typed, { first: from }).first
    assert.deepEqual(
      [
        first('jj'),
        first('\x1b[B\x1bOB\x1b[A'),
        first('k'),
        first('\x1b[6~\x1b[6~'),
        first('G'),
        first('Gg'),
      ],
      [2, 1, 0, 20, 90, 0],
    )
    assert.equal(first('\x1b[5~', 95), 85)
    assert.equal(after('G', {}, 5, 10).first, 0)
    assert.equal(after(' ').paused, true)
  })

  it('are text while a filter is written', () => {
    const typed = after('/üq s\t\x1b[A\x7f', { first: 5 })
    assert.deepEqual(typed, { ...FIRST_VIEW, typing: true, filter: 'üq ', first: 0 })
    assert.deepEqual(after('/ab\rr', {}), { ...FIRST_VIEW, filter: 'ab' })
    assert.equal(after('/ab\x1b').filter, '')
    assert.equal(after('/ab\r\x1b').filter, '')
    assert.equal(after(`/${'x'.repeat(500)}`).filter.length, 100)
  })

  it('that mean nothing change nothing', () => {
    assert.deepEqual(after('\x1b[200~\x1bOP\x01\x02xyz~'), FIRST_VIEW)
  })
})

/** An admin listener that says what it is told to. */
async function standIn(t: TestContext, look: () => Look) {
  const asked: string[] = []
  const server = await listen((request, response) => {
    asked.push(request.url ?? '')
    const { stats, alerts } = look()
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(request.url === '/alerts' ? { alerts } : stats))
  })
  t.after(() => server.close())
  return { url: server.origin, asked, server: server.server }
}

const shell = (url: string, flags = '') => `${process.execPath} ${flags} ${TOP} --every 200ms --url ${url}`

function run(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  return new Promise<{ code: number; out: string; error: string }>((resolve) => {
    execFile(
      process.execPath,
      [TOP, ...args],
      { cwd: ROOT, env: { ...process.env, ...env } },
      (error, out, err) => resolve({ code: error === null ? 0 : Number(error.code), out, error: err }),
    )
  })
}

describe('npm run top', { timeout: 60_000 }, () => {
  it('shows a real gateway once, as a table and as JSON', async (t) => {
    const good = await startTarget(t)
    const others = [await startTarget(t), await startTarget(t)].map(({ origin }) => `{ origin: '${origin}' }`)
    const admin = await freePort()
    const config = `import { defineGateway } from './plugins/config/define.ts'
    export default defineGateway({
      admin: { port: ${admin} },
      upstreams: {
        users: { targets: [{ origin: '${good.origin}' }, ${others}, { origin: '${await deadOrigin()}' }, { origin: 'http://127.0.0.1:9', tier: 1 }] },
      },
      routes: [{ path: '/users/*', upstream: 'users' }],
      alerts: { evaluateEvery: '50ms', rules: [{ name: 'busy', throughput: { above: 0.01 }, over: '100ms' }] },
    })`
    const gateway = await startProcess(t, { config })
    // The admin listener is told of first.
    const isUp = () =>
      ask(gateway.port, { url: '/livez' }).then(
        () => true,
        () => false,
      )
    await until('the main port', isUp)
    // Chance has a say in when it is: a target that is doubted gets less.
    let requests = 0
    await until('the ejection of the dead target', async () => {
      for (let i = 0; i < 40; i++, requests++) await ask(gateway.port, { url: '/users/1' })
      const { upstreams } = JSON.parse((await ask(admin, { url: '/stats' })).body.toString())
      return upstreams[0].targets.some(({ vetoes }: { vetoes: object }) => 'outlier-detection' in vetoes)
    })
    await ask(gateway.port, { url: '/nothing' })
    const url = `http://127.0.0.1:${admin}`
    const { code, out, error } = await run(['--url', url, '--once'])
    assert.deepEqual({ code, error }, { code: 0, error: '' })
    assert.match(out, /^holdfast \d+\.\d+\.\d+ {2}http:\/\/127\.0\.0\.1:\d+ {2}up \d+s\n/)
    assert.match(
      out,
      /\nprocess {2}memory \d+ MiB {2}event loop p99 [\d.]+ms, max [\d.]+m?s, [<\d.]+% busy\n/,
    )
    assert.match(out, /\nalerts {3}(none firing of 1|1 firing: busy \(warning\))\n/)
    assert.match(out, /\n\/users\/\* +[\d.]+ +0% +[\d.]+ms +[\d.]+ms +[\d.]+ms\n/)
    assert.match(out, /\nnone +[\d.]+ +0% /)
    assert.match(out, /\nusers +[\d.]+ +0% +[\d.]+ms +[\d.]+ms +[\d.]+ms +0 +3\/5\n/)
    assert.match(out, new RegExp(`\\n${good.origin} +users +[\\d.]+ +0% .* 0 healthy\\n`))
    assert.match(out, /\nhttp:\/\/127\.0\.0\.1:\d+ +users +[\d.]+ +100% .* 0 ejected\n/)
    assert.match(out, /\nhttp:\/\/127\.0\.0\.1:9 +users +0 +- .* 1 standby\n/)
    assert.ok(!out.includes('\x1b'))

    const json = JSON.parse(
      (await run(['--url', url, '--json', '--pane', 'targets', '--filter', good.origin])).out,
    )
    assert.deepEqual(Object.keys(json), [
      'address',
      'at',
      'uptimeSeconds',
      'gateway',
      'total',
      'targets',
      'alerts',
    ])
    assert.equal(json.total.requests, requests)
    assert.equal(json.targets.length, 1)
    assert.equal(json.targets[0].state, 'eligible')
    assert.ok(json.targets[0].window.count > 0)
    assert.equal(json.alerts[0].name, 'busy')
  })

  it('is steered by keys in a terminal, and asks for targets only where they are seen', async (t) => {
    let look = example().look
    const admin = await standIn(t, () => look)
    const terminal = await inTerminal(t, shell(admin.url))
    await terminal.shows('api.example.com/users/*')
    await terminal.shows('q quit')
    assert.ok(terminal.screen.alternate)
    assert.ok(!terminal.screen.cursor)
    assert.equal(terminal.screen.lines.length, 24)
    assert.ok(!admin.asked.includes('/stats'))
    terminal.type('\t')
    await terminal.shows(/users .* 2\/4/)
    terminal.type('3')
    await terminal.shows('slow start 40%')
    await until('it asks for the targets', () => admin.asked.includes('/stats'))
    terminal.type('/10.2\x7f0.2\r')
    await terminal.shows('by rate  /10.0.2')
    assert.match(terminal.screen.text, /1 by rate.*\n.*\nhttp:\/\/10\.0\.2\.1:9200 +search/)
    terminal.type('\x1b[')
    terminal.type('D')
    terminal.type('\x1b')
    await terminal.shows('5 by rate')
    terminal.type('e ')
    await terminal.shows(/by errors[\s\S]*TARGET.*\nhttp:\/\/10\.0\.0\.2:8080/)
    await terminal.shows('paused')
    const asked = admin.asked.length
    look = lookOf({ upstreams: [upstreamOf('new', [targetOf('http://new')])] })
    terminal.type(' ')
    await terminal.shows('http://new')
    assert.ok(admin.asked.length > asked)
    // There is no shell here that could wake it up again: it notices.
    terminal.type('\x1a')
    await until('the main screen', () => !terminal.screen.alternate)
    await terminal.shows('http://new')
    terminal.type('q')
    assert.deepEqual(await terminal.restored(), { code: 0, printed: '' })
  })

  it('says that the gateway is gone, and goes on when it is back', async (t) => {
    let up = true
    const admin = await standIn(t, () => example().look)
    admin.server.prependListener('request', (request) => {
      if (!up) request.socket.destroy()
    })
    const terminal = await inTerminal(t, shell(admin.url), { NO_COLOR: '1' })
    await terminal.shows('/search')
    up = false
    await terminal.shows(/\nnot reachable since \d\d:\d\d:\d\d, trying again: /)
    assert.ok(terminal.screen.text.includes('/search'))
    up = true
    await until('it is back', () => !terminal.screen.text.includes('not reachable'))
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what terminals are told
    assert.doesNotMatch(terminal.output(), /\x1b\[[0-9;]*[1-9]m/)
    terminal.type('q')
    assert.equal((await terminal.restored()).code, 0)
  })

  it('restores the terminal on Ctrl-C, on signals and on an error of its own', async (t) => {
    const admin = await standIn(t, () => example().look)
    const boom = `--import "data:text/javascript,process.on(String.fromCharCode(83,73,71,85,83,82,50),()=>{throw 7})"`
    const ends = {
      interrupt: 130,
      SIGINT: 130,
      SIGTERM: 143,
      SIGHUP: 129,
      SIGUSR2: 1,
    }
    await Promise.all(
      Object.entries(ends).map(async ([how, code]) => {
        const terminal = await inTerminal(t, shell(admin.url, boom))
        await terminal.shows('/search')
        if (how === 'interrupt') terminal.type('\x03')
        else process.kill(terminal.pid(), how)
        const end = await terminal.restored()
        assert.equal(end.code, code, how)
        if (how === 'SIGUSR2') assert.match(end.printed, /7/)
        else assert.equal(end.printed, '', how)
      }),
    )
  })

  it('ends with its terminal, and with who reads its pipe', async (t) => {
    const admin = await standIn(t, () => example().look)
    const terminal = await inTerminal(t, shell(admin.url))
    await terminal.shows('/search')
    const pid = terminal.pid()
    terminal.child.kill('SIGKILL')
    await until('the end of the program', () => {
      try {
        process.kill(pid, 0)
        return false
      } catch {
        return true
      }
    })
    const child = spawn(process.execPath, [TOP, '--once', '--url', admin.url], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    child.stdout.destroy()
    let error = ''
    child.stderr.on('data', (text) => {
      error += text
    })
    const [code] = await once(child, 'close')
    assert.deepEqual({ code, error }, { code: 0, error: '' })
  })

  it('says what is wrong, with the remedy', async (t) => {
    const dead = await deadOrigin()
    assert.deepEqual(await run(['--url', dead, '--once']), {
      code: 1,
      out: '',
      error: `${dead} is not reachable: connection refused\n`,
    })
    const other = await listen((_request, response) => response.writeHead(404).end())
    t.after(() => other.close())
    const { error } = await run(['--url', other.origin])
    assert.match(error, /there is no \/stats: is this the admin listener, and is plugins\/metrics there\?/)
    const cases: [string[], RegExp][] = [
      [['--every', '10ms'], /--every is "10ms"; write a duration from 200ms on/],
      [['--every', 'x'], /--every is "x"/],
      [['--pane', 'route'], /--pane is "route"; take one of routes, upstreams, targets/],
      [['--url', 'localhost:9901'], /--url is "localhost:9901"; write an address such as/],
      [['--nonsense'], /--nonsense/],
    ]
    for (const [args, message] of cases) assert.throws(() => readOptions(args), message, args.join(' '))
    const { code, out, error: usage } = await run(['--every', 'x'])
    assert.deepEqual({ code, out }, { code: 2, out: '' })
    assert.match(usage, /^--every is "x"; write a duration from 200ms on, such as 2s\n$/)
    assert.match(
      (await run([])).error,
      /gateway\.config\.ts has no admin listener; add `admin: \{ port: 9901 \}`, or say where it is with --url/,
    )
  })
})
