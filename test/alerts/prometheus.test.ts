/** The same rules in the gateway and in a real Prometheus, on the same traffic; and a real Alertmanager that is told. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { promisify } from 'node:util'
import { annotationsOf } from '../../plugins/alerts/notify/notification.ts'
import { ruleFile } from '../../plugins/alerts/prometheus/rule-file.ts'
import { yaml } from '../../plugins/alerts/prometheus/yaml.ts'
import { compileRules } from '../../plugins/alerts/rules/compile.ts'
import type { Labels } from '../../plugins/alerts/rules/rule.ts'
import { seededDice } from '../support/dice.ts'
import { startGateway } from '../support/gateway.ts'
import { startAlertmanager, startPrometheus } from '../support/monitoring.ts'
import { freePort } from '../support/ports.ts'
import { ROOT } from '../support/process.ts'
import { startTarget } from '../support/target.ts'
import { needs } from '../support/tools.ts'
import { ask } from '../transport/support.ts'
import { alertsOf, configWith, rulesOf, World } from './support.ts'

const run = promisify(execFile)

/** One of each kind. */
const RULES = [
  {
    name: 'slow',
    route: 'a',
    latency: { quantile: 0.95, above: '500ms', resolveBelow: '300ms' },
    for: '1m',
    keepFiring: '5m',
    severity: 'critical',
    labels: { team: 'a "quoted" \\ team', also: "it's" },
    annotations: { runbook: 'first line\nsecond line' },
  },
  { name: 'slow users', upstream: 'users', latency: { above: '1s' } },
  { name: 'rate', throughput: { above: 100, below: 2, resolveBelow: 80, resolveAbove: 3 } },
  { name: 'errors', upstream: 'users', errorRate: { above: 0.05, resolveBelow: 0.02 }, over: '90s' },
  { name: 'limited', route: 'a', rateLimited: { above: 0.3 } },
  { name: 'few', upstream: 'users', targets: { eligibleBelow: 2 } },
  {
    name: 'few of all',
    targets: { eligibleBelow: '50%' },
    summary: '{{ $value | humanizePercentage }} left',
  },
  { name: 'breaker', breakerOpen: true },
  { name: 'full', upstream: 'users', saturation: { inflightAbove: 0.8, resolveBelow: 0.5 } },
  { name: 'panic', panic: true },
  { name: 'burn', burnRate: { objective: 0.999 } },
  { name: 'burn slow', route: 'a', burnRate: { objective: 0.99, slowerThan: '250ms' }, for: '2m' },
]

async function folderFor(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-alerts-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** Samples of a series of a promtool test, one for each step. */
const series = (name: string, labels: string, values: readonly number[]) => ({
  series: `${name}{job="holdfast",instance="i"${labels}}`,
  values: values.join(' '),
})

/** A gateway before a target that does as its path says. */
async function gatewayWith(
  t: TestContext,
  rules: readonly object[],
  notify: readonly object[],
  more: object = {},
) {
  const target = () =>
    startTarget(t, ({ url }, response) => {
      response.statusCode = url === '/bad' ? 500 : 200
      setTimeout(() => response.end('ok'), url === '/slow' ? 60 : 0)
    })
  const targets = [await target(), await target()]
  for (const { server } of targets)
    server.on('upgrade', (_request, socket) => {
      socket.on('error', () => {})
      // A target waits for it when it is closed.
      socket.on('end', () => socket.end()).resume()
      socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n')
    })
  const adminPort = await freePort()
  const config = configWith({ rules, notify, ...more })
  const { app, port } = await startGateway({
    ...config,
    upstreams: {
      ...config.upstreams,
      users: {
        targets: targets.map(({ origin }) => ({ origin })),
        outlierDetection: false,
        failover: { retries: 0, hedge: false },
        circuitBreaker: { errorRatio: 1, consecutive: 0, minimum: 1_000_000 },
      },
    },
    routes: [{ path: '/*', name: 'a', upstream: 'users', upgrade: ['websocket'] }, ...config.routes.slice(1)],
    admin: { port: adminPort },
  } as object)
  t.after(() => {
    app.server.closeAllConnections()
    void app.close()
  })
  const page = async (): Promise<string> => (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text()
  return { app, port, adminPort, page }
}

/** A process of another project, until the test ends. */
/** Names of routes, of which one means something to whoever reads it carelessly. */
const HOSTILE = ['plain', 'x {{y}}', '{', '{{ $value }} "it\'s"\\\n\u2028{x="1"}#']
const errorsOf = (route: string) => ({ name: `errors of ${route}`, route, errorRate: { above: 0.5 } })

interface Firing {
  readonly labels: Readonly<Record<string, string>>
  readonly state: string
}

// Mostly they wait for others.
describe('alerts and Prometheus', { timeout: 170_000, concurrency: 4 }, () => {
  it('what is exported passes promtool, and each alert fires on what it is there for and not else', {
    timeout: 150_000,
    ...needs('promtool'),
  }, async (t) => {
    const folder = await folderFor(t)
    const config = join(folder, 'gateway.config.ts')
    await writeFile(
      config,
      `export default ${JSON.stringify(
        configWith(
          // Prometheus fills in the labels of rules; and one alert for each of several routes is nothing to complain of.
          { rules: [...RULES, ...HOSTILE.map(errorsOf)], evaluateEvery: '30s' },
          {
            routes: [
              ...configWith({}).routes,
              ...HOSTILE.map((name, i) => ({ path: `/${i}`, name, upstream: 'users' })),
            ],
          },
        ),
      )}`,
    )
    const script = (...flags: string[]) =>
      run(process.execPath, [join(ROOT, 'scripts/export-prometheus.ts'), ...flags], {
        cwd: ROOT,
        env: { ...process.env, GATEWAY_CONFIG: config },
      })
    const [rules, tests, fleet] = ['rules.yml', 'tests.yml', 'fleet.yml'].map((name) =>
      join(folder, name),
    ) as [string, string, string]
    const fleetTests = join(folder, 'fleet-tests.yml')
    const [printed] = await Promise.all([
      script(),
      script('--out', rules, '--tests', tests),
      script('--out', fleet, '--tests', fleetTests, '--fleet', '--job', 'a "b"'),
      assert.rejects(script('--tests', tests), /say which one with --out/),
    ])
    assert.equal(printed.stdout, await readFile(rules, 'utf8'))
    const checked = await run('promtool', ['check', 'rules', rules, fleet])
    assert.match(checked.stdout, /SUCCESS: \d\d rules found/)
    assert.equal(checked.stderr, '')
    assert.doesNotMatch(checked.stdout, /lint/)
    await run('promtool', ['test', 'rules', tests, fleetTests])
    // A test that cannot fail tests nothing: with another limit the first alert does not fire.
    const text = await readFile(rules, 'utf8')
    await writeFile(rules, text.replaceAll('> 0.05', '> 1.05'))
    await assert.rejects(run('promtool', ['test', 'rules', tests]), /slow/)
  })

  it('random traffic, in virtual time: at every step just what fires in Prometheus fires in the engine', {
    timeout: 150_000,
    ...needs('promtool'),
  }, async (t) => {
    const folder = await folderFor(t)
    const EVERY = 5
    // Limits that no share of small numbers hits: an exact tie is the only place where they may differ.
    const rules = rulesOf(
      {
        name: 'errors',
        errorRate: { above: 0.10371, resolveBelow: 0.05171 },
        over: '30s',
        for: '10s',
        keepFiring: '15s',
      },
      { name: 'errors soon', errorRate: { above: 0.03171 }, over: '15s', atLeast: 40 },
      {
        name: 'slow',
        latency: { quantile: 0.85371, above: '500ms', resolveBelow: '250ms' },
        over: '20s',
        for: '5s',
      },
      {
        name: 'rate',
        throughput: { above: 8.171, below: 2.171, resolveBelow: 6.171, resolveAbove: 3.171 },
        over: '20s',
      },
      {
        name: 'burn',
        burnRate: {
          objective: 0.97371,
          windows: [
            { long: '60s', short: '10s', factor: 2, severity: 'page' },
            { long: '30s', short: '15s', factor: 5 },
          ],
        },
        atLeast: 10,
      },
      { name: 'few', targets: { eligibleBelow: '50.371%' }, for: '15s', keepFiring: '5s' },
    )
    const random = seededDice(7)
    let changes = 0
    const tests = Array.from({ length: 8 }, () => {
      const world = new World(rules, EVERY * 1000)
      const seen: Record<string, number[]> = {
        good: [0],
        bad: [0],
        quick: [0],
        usual: [0],
        all: [0],
        usable: [4],
        expected: [6],
        watched: [0],
      }
      const totals = { good: 0, bad: 0, quick: 0, usual: 0, all: 0 }
      const firing: string[][] = [[]]
      world.gauges.usable = 4
      world.gauges.expected = 6
      let [rate, failing, slow, usable] = [25, 0, 0, 4]
      for (let step = 1; step <= 120; step++) {
        // A prelude longer than any window, so that Prometheus has no part of a window to extrapolate from.
        if (step > 14 && random() < 0.15) {
          rate = [0, 3, 12, 18, 25, 60][Math.floor(random() * 6)] as number
          failing = [0, 0, 0.04, 0.08, 0.3][Math.floor(random() * 5)] as number
          slow = [0, 0, 0.1, 0.3][Math.floor(random() * 4)] as number
          // Now and then one of them waits for its first check.
          usable = Math.floor(random() * 8)
        }
        const restarted = step > 14 && random() < 0.03
        if (restarted) for (const key of Object.keys(totals)) totals[key as keyof typeof totals] = 0
        for (let i = 0; i < rate; i++) {
          totals[random() < failing ? 'bad' : 'good']++
          // An upgraded connection is a request, and has no duration.
          if (random() < 0.1) continue
          const took = random() < slow ? (random() < 0.6 ? 600 : 300) : 10
          totals.all++
          if (took <= 500) totals.usual++
          if (took <= 250) totals.quick++
        }
        for (const [key, value] of Object.entries(totals)) seen[key]?.push(value)
        const unchecked = usable === 7
        seen['usable']?.push(unchecked ? Number.NaN : usable)
        seen['expected']?.push(unchecked ? Number.NaN : 6)
        seen['watched']?.push(step * EVERY)
        Object.assign(world.counts, {
          requests: totals.good + totals.bad,
          errors: totals.bad,
          'slower than 500': totals.all - totals.usual,
          'slower than 250': totals.all - totals.quick,
        })
        world.gauges.usable = unchecked ? undefined : usable
        world.gauges.expected = unchecked ? undefined : 6
        world.now += EVERY * 1000
        world.round()
        firing.push(
          world.engine.alerts
            .filter(({ state }) => state === 'firing')
            .map(({ rule }) => `${rule.name}|${rule.severity}`),
        )
      }
      changes += world.log.length
      const of = (key: string): readonly number[] => seen[key] as number[]
      return {
        interval: `${EVERY}s`,
        input_series: [
          series('holdfast_requests_total', ',route="a",result="2xx"', of('good')),
          series('holdfast_requests_total', ',route="a",result="5xx"', of('bad')),
          series('holdfast_request_duration_seconds_count', ',route="a"', of('all')),
          series('holdfast_request_duration_seconds_bucket', ',route="a",le="0.5"', of('usual')),
          series('holdfast_request_duration_seconds_bucket', ',route="a",le="0.25"', of('quick')),
          series('holdfast_alert_usable_targets', ',upstream="users"', of('usable')),
          series('holdfast_alert_expected_targets', ',upstream="users"', of('expected')),
          series('holdfast_alert_watched_seconds', '', of('watched')),
        ],
        promql_expr_test: firing.map((names, step) => ({
          expr: 'count by (alertname, severity) (ALERTS{alertstate="firing"})',
          eval_time: `${step * EVERY}s`,
          exp_samples: names.map((name) => {
            const [alertname, severity] = name.split('|')
            return { labels: `{alertname="${alertname}",severity="${severity}"}`, value: 1 }
          }),
        })),
      }
    })
    // Otherwise the test would show little.
    assert.ok(changes > 200, String(changes))
    await writeFile(
      join(folder, 'rules.yml'),
      yaml(ruleFile(rules, { evaluateEvery: EVERY * 1000, job: 'holdfast', fleet: false })),
    )
    await writeFile(
      join(folder, 'tests.yml'),
      yaml({ rule_files: ['rules.yml'], evaluation_interval: `${EVERY}s`, tests }),
    )
    const { stdout } = await run('promtool', ['test', 'rules', join(folder, 'tests.yml')]).catch((error) =>
      assert.fail(error.stderr.slice(0, 3000)),
    )
    assert.match(stdout, /SUCCESS/)
  })

  it('a pause of the process resolved alerts that fired, in the engine and in Prometheus', {
    timeout: 60_000,
    ...needs('promtool'),
  }, async (t) => {
    const folder = await folderFor(t)
    const rules = rulesOf(
      { name: 'idle', throughput: { below: 1 }, over: '60s' },
      { name: 'errors', route: 'a', errorRate: { above: 0.5 }, over: '60s' },
      { name: 'burn', burnRate: { objective: 0.9, windows: [{ long: '100s', short: '60s', factor: 2 }] } },
    )
    const PAUSE = 12
    /** Steps of five seconds: requests at each before the pause and after it, and whether they fail. */
    const scenario = (before: number, after: number, fail: boolean) => {
      const world = new World(rules)
      const totals: (number | 'stale')[] = []
      const watched: (number | 'stale')[] = []
      const firing: string[][] = []
      const look = (stopped: boolean): void => {
        totals.push(stopped ? 'stale' : (world.counts['requests'] as number))
        watched.push(stopped ? 'stale' : world.engine.watchedMs / 1000)
        firing.push(
          world.engine.alerts.filter(({ state }) => state === 'firing').map(({ rule }) => rule.name),
        )
      }
      const pass = (steps: number, each: number): void => {
        for (let i = 0; i < steps; i++) {
          world.pass(5, { requests: each, errors: fail ? each : 0 })
          look(false)
        }
      }
      look(false)
      pass(30, before)
      for (let i = 0; i < PAUSE; i++) {
        world.now += 5000
        look(true)
      }
      pass(30, after)
      const none = totals.map((total) => (total === 'stale' ? total : 0))
      const values = (name: string, labels: string, of: readonly unknown[]) =>
        series(name, labels, of as number[])
      return {
        log: world.log,
        test: {
          interval: '5s',
          input_series: [
            values('holdfast_requests_total', ',route="a",result="2xx"', fail ? none : totals),
            values('holdfast_requests_total', ',route="a",result="5xx"', fail ? totals : none),
            values('holdfast_alert_watched_seconds', '', watched),
          ],
          promql_expr_test: firing.map((names, step) => ({
            expr: 'count by (alertname) (ALERTS{alertstate="firing"})',
            eval_time: `${step * 5}s`,
            exp_samples: names.map((name) => ({ labels: `{alertname="${name}"}`, value: 1 })),
          })),
        },
      }
    }
    const [quiet, failing] = [scenario(0, 10, false), scenario(10, 0, true)]
    // The first round after the pause is at 215 s, and the window is known again a minute later.
    assert.deepEqual(quiet.log, ['60 idle fired', '275 idle resolved'])
    assert.deepEqual(
      failing.log.filter((line) => line.endsWith('resolved')),
      ['275 errors resolved', '275 burn resolved'],
    )
    for (const fleet of [false, true]) {
      await writeFile(
        join(folder, 'rules.yml'),
        yaml(ruleFile(rules, { evaluateEvery: 5000, job: 'holdfast', fleet })),
      )
      await writeFile(
        join(folder, 'tests.yml'),
        yaml({ rule_files: ['rules.yml'], evaluation_interval: '5s', tests: [quiet.test, failing.test] }),
      )
      await run('promtool', ['test', 'rules', join(folder, 'tests.yml')]).catch((error) =>
        assert.fail(error.stderr.slice(0, 3000)),
      )
    }
  })

  it('what exported rules read is what the gateway shows', { timeout: 60_000 }, async (t) => {
    const names = new Set<string>()
    for (const fleet of [false, true])
      for (const [name] of yaml(
        ruleFile(rulesOf(...RULES), { evaluateEvery: 5000, job: 'holdfast', fleet }),
      ).matchAll(/(?<!:)\bholdfast_\w+/g))
        names.add(name)
    assert.ok(names.size >= 12)
    const { page } = await gatewayWith(t, RULES, [])
    const shown = await page()
    for (const name of names) assert.ok(shown.includes(`\n${name}`), `${name} is not shown`)
    assert.match(shown, /_bucket\{route="a",le="0.25"\}/)
  })

  it('three open WebSockets were saturation to Prometheus, and none to the gateway', {
    timeout: 60_000,
  }, async (t) => {
    const full = { name: 'full', upstream: 'users', saturation: { inflightAbove: 0.4 } }
    const { app, port, page } = await gatewayWith(t, [full], [], { evaluateEvery: '50ms' })
    const sockets = [1, 2, 3].map(() => connect(port, '127.0.0.1').on('error', () => {}))
    for (const socket of sockets)
      socket.write('GET /chat HTTP/1.1\r\nhost: a\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n')
    const heads = await Promise.all(sockets.map(async (socket) => String((await once(socket, 'data'))[0])))
    const shown = await page()
    for (const socket of sockets) socket.destroy()
    assert.ok(heads.every((head) => head.startsWith('HTTP/1.1 101 ')))
    const text = yaml(
      ruleFile(compileRules(app.gateway.alerts!.rules), { evaluateEvery: 50, job: 'holdfast', fleet: false }),
    )
    const [numerator] = /holdfast_\w+(?=\{)/.exec(text) ?? []
    const value = (shown: string, name: string) =>
      new RegExp(`^${name}\\{upstream="users"\\} (.*)$`, 'm').exec(shown)?.[1]
    assert.equal(value(shown, 'holdfast_upstream_inflight'), '3')
    assert.equal(value(shown, numerator ?? ''), '0')
  })

  it('the alerts of one gateway fired for another one that the same Prometheus scrapes', {
    timeout: 60_000,
    ...needs('promtool'),
  }, async (t) => {
    const folder = await folderFor(t)
    const rules = rulesOf(
      { name: 'errors', errorRate: { above: 0.5 } },
      { name: 'panic', panic: true },
      { name: 'idle', throughput: { below: 1 } },
      { name: 'late', throughput: { above: 9 }, keepFiring: '1m' },
    )
    const ofJob = (job: string, labels: string, name: string, values: string) => ({
      series: `${name}{job="${job}",instance="i"${labels}}`,
      values,
    })
    // The other is in all sorts of trouble, and has rules of the same names.
    const input = [
      ...['holdfast', 'other'].map((job) => ofJob(job, '', 'holdfast_alert_watched_seconds', '0+5x60')),
      ofJob('holdfast', ',route="a",result="2xx"', 'holdfast_requests_total', '0+20x60'),
      ofJob('other', ',route="a",result="5xx"', 'holdfast_requests_total', '0+900x60'),
      ofJob('holdfast', ',upstream="users"', 'holdfast_upstream_panic', '0x60'),
      ofJob('other', ',upstream="users"', 'holdfast_upstream_panic', '1x60'),
    ]
    for (const fleet of [false, true]) {
      const files = ['holdfast', 'other'].map((job) => ({ job, name: `${job}-${fleet}.yml` }))
      for (const { job, name } of files)
        await writeFile(join(folder, name), yaml(ruleFile(rules, { evaluateEvery: 5000, job, fleet })))
      const test = (job: string, names: readonly string[]) => ({
        expr: `ALERTS{alertstate="firing",job="${job}"}`,
        eval_time: '200s',
        exp_samples: names.map((name) => ({
          labels: `ALERTS{alertname="${name}",alertstate="firing",job="${job}",severity="warning"${fleet ? '' : ',instance="i"'}}`,
          value: 1,
        })),
      })
      const all = { ...test('holdfast', []), expr: 'ALERTS' }
      for (const [file, tests] of [
        [files.slice(0, 1), [all]],
        [files, [test('holdfast', []), test('other', ['errors', 'late', 'panic'])]],
      ] as const) {
        await writeFile(
          join(folder, 'tests.yml'),
          yaml({
            rule_files: file.map(({ name }) => name),
            evaluation_interval: '5s',
            tests: [{ interval: '5s', input_series: input, promql_expr_test: tests }],
          }),
        )
        await run('promtool', ['test', 'rules', join(folder, 'tests.yml')]).catch((error) =>
          assert.fail(error.stderr.slice(0, 3000)),
        )
      }
    }
  })

  it('of two gateways with one config, the one that was well again ended the alert of the other', {
    timeout: 60_000,
    ...needs('prometheus-alertmanager'),
  }, async (t) => {
    const alertmanager = await startAlertmanager(t)
    const quiet = { name: 'quiet', route: 'a', throughput: { below: 1 }, over: '1s' }
    const [a, b] = await Promise.all(
      [0, 1].map(() => gatewayWith(t, [quiet], [{ alertmanager }], { evaluateEvery: '100ms' })),
    )
    const active = async (): Promise<string[]> =>
      ((await (await fetch(`${alertmanager}/api/v2/alerts`)).json()) as { labels: { instance: string } }[])
        .map(({ labels }) => labels.instance)
        .toSorted()
    const until = async (...gateways: { port: number }[]): Promise<void> => {
      const wanted = gateways.map(({ port }) => `${hostname()}:${port}`).toSorted()
      let seen: string[] = []
      for (const end = performance.now() + 25_000; performance.now() < end; ) {
        seen = await active()
        if (seen.join() === wanted.join()) return
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
      assert.deepEqual(seen, wanted)
    }
    await until(a!, b!)
    const traffic = setInterval(() => void ask(b!.port).catch(() => {}), 20)
    t.after(() => clearInterval(traffic))
    await until(a!)
  })

  it('the texts of an alert are the same here and there, whatever names there are in them', {
    timeout: 60_000,
    ...needs('promtool'),
  }, async (t) => {
    const folder = await folderFor(t)
    const route = 'x {{y}} {'
    const config = {
      ...alertsOf({
        rules: [
          { name: 'plain', route: 'a', errorRate: { above: 0.5 } },
          {
            name: 'written',
            route: 'a',
            errorRate: { above: 0.5 },
            labels: { team: 'a{' },
            summary:
              '{{ $labels.team }}{{ $labels.route }}: {{ $value | humanizePercentage }} of {{$labels.severity}}',
          },
        ],
      }),
    }
    const rules = compileRules(config.rules.map((rule) => ({ ...rule, route })))
    const world = new World(rules)
    world.pass(120, { requests: 10, errors: 10 })
    await writeFile(
      join(folder, 'rules.yml'),
      yaml(ruleFile(rules, { evaluateEvery: 5000, job: 'holdfast', fleet: false })),
    )
    const grows = {
      series: `holdfast_requests_total{job="holdfast",instance="gateway:1",route="${route}",result="5xx"}`,
    }
    await writeFile(
      join(folder, 'tests.yml'),
      yaml({
        rule_files: ['rules.yml'],
        evaluation_interval: '5s',
        tests: [
          {
            interval: '5s',
            input_series: [{ ...grows, values: '0+50x24' }],
            alert_rule_test: world.engine.alerts.map((alert) => {
              const { alertname = '', ...labels }: Labels = { job: 'holdfast', ...alert.labels }
              return {
                eval_time: '120s',
                alertname,
                exp_alerts: [{ exp_labels: labels, exp_annotations: annotationsOf(alert) }],
              }
            }),
          },
        ],
      }),
    )
    await run('promtool', ['test', 'rules', join(folder, 'tests.yml')]).catch((error) =>
      assert.fail(error.stderr.slice(0, 3000)),
    )
  })

  it('the same traffic fires and resolves the same alerts here and there', {
    timeout: 120_000,
    ...needs('prometheus', 'prometheus-alertmanager'),
  }, async (t) => {
    const folder = await folderFor(t)
    const every = 200
    const rules = [
      {
        name: 'slow',
        route: 'a',
        latency: { quantile: 0.9, above: '33ms', resolveBelow: '30ms' },
        over: '2s',
        for: '600ms',
      },
      {
        name: 'errors',
        upstream: 'users',
        errorRate: { above: 0.2, resolveBelow: 0.1 },
        over: '2s',
        keepFiring: '1s',
      },
      { name: 'idle', throughput: { below: 1 }, over: '2s' },
      { name: 'few', upstream: 'users', targets: { eligibleBelow: 2 }, severity: 'critical' },
      { name: 'few of those', upstream: 'users', targets: { eligibleBelow: '60%' } },
      {
        name: 'burn',
        burnRate: { objective: 0.9, windows: [{ long: '4s', short: '1s', factor: 2, severity: 'page' }] },
        atLeast: 5,
      },
      { name: 'never', errorRate: { above: 0.9 }, over: '2s' },
    ]
    const alertmanager = await startAlertmanager(t)
    const { app, port, adminPort } = await gatewayWith(t, rules, [{ alertmanager }], { evaluateEvery: every })
    const compiled = compileRules(app.gateway.alerts!.rules)
    await writeFile(
      join(folder, 'rules.yml'),
      yaml(ruleFile(compiled, { evaluateEvery: every, job: 'holdfast', fleet: false })),
    )
    const prometheus = await startPrometheus(t, {
      global: {
        scrape_interval: `${every}ms`,
        scrape_timeout: `${every}ms`,
        evaluation_interval: `${every}ms`,
      },
      rule_files: [join(folder, 'rules.yml')],
      scrape_configs: [{ job_name: 'holdfast', static_configs: [{ targets: [`127.0.0.1:${adminPort}`] }] }],
    })

    const json = async (url: string): Promise<unknown> => (await fetch(url)).json()
    const named = (alerts: readonly Firing[]): string[] =>
      alerts
        .filter(({ state }) => state === 'firing')
        .map(({ labels: { job: _j, instance: _i, ...labels } }) =>
          JSON.stringify(Object.entries(labels).toSorted()),
        )
        .toSorted()
    const here = async (): Promise<string[]> =>
      named(((await json(`http://127.0.0.1:${adminPort}/alerts`)) as { alerts: Firing[] }).alerts)
    const there = async (): Promise<string[]> =>
      named(((await json(`${prometheus}/api/v1/alerts`)) as { data: { alerts: Firing[] } }).data.alerts)
    /** What the Alertmanager knows, by fingerprint. */
    const told = async (): Promise<string[]> =>
      ((await json(`${alertmanager}/api/v2/alerts`)) as { fingerprint: string }[])
        .map(({ fingerprint }) => fingerprint)
        .toSorted()
    const fingerprints = async (): Promise<string[]> =>
      (
        (await json(`http://127.0.0.1:${adminPort}/alerts`)) as {
          alerts: (Firing & { fingerprint: string })[]
        }
      ).alerts
        .filter(({ state }) => state === 'firing')
        .map(({ fingerprint }) => fingerprint)
        .toSorted()

    const everFired = [new Set<string>(), new Set<string>()] as const
    /** Waits until all three agree on just these. */
    const agree = async (...wanted: string[]): Promise<void> => {
      const expected = named(
        compiled
          .filter(({ name }) => wanted.includes(name))
          .map(({ labels }) => ({ labels, state: 'firing' })),
      )
      let seen: unknown
      for (const end = performance.now() + 25_000; performance.now() < end; ) {
        const [ours, theirs, known, known2] = await Promise.all([here(), there(), told(), fingerprints()])
        for (const [set, names] of [
          [everFired[0], ours],
          [everFired[1], theirs],
        ] as const)
          for (const name of names) set.add(name)
        seen = { ours, theirs, known }
        const same =
          [ours, theirs].every((names) => names.join() === expected.join()) && known.join() === known2.join()
        if (same) return
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
      assert.fail(`not ${expected}: ${JSON.stringify(seen)}`)
    }

    let paths: readonly string[] = []
    let next = 0
    const traffic = setInterval(() => {
      if (paths.length > 0) void ask(port, { url: paths[next++ % paths.length] as string }).catch(() => {})
    }, 15)
    t.after(() => clearInterval(traffic))

    await agree('idle')
    paths = ['/']
    await agree()
    paths = ['/', '/slow', '/bad']
    const [target] = app.upstreams.upstream('users').targets
    void app.upstreams.upstream('users').drain(target!)
    await agree('slow', 'errors', 'few', 'burn')
    paths = ['/']
    app.upstreams.upstream('users').undrain(target!)
    await agree()
    assert.deepEqual([...everFired[0]].toSorted(), [...everFired[1]].toSorted())
    assert.equal(everFired[0].size, 5)
  })
})
