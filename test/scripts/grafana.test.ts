/** `npm run export:grafana`: dashboards that Grafana can read, whose every expression Prometheus has an answer to. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { compileRules } from '../../plugins/alerts/rules/compile.ts'
import { grafanaFiles } from '../../scripts/grafana/dashboards.ts'
import { factsOf } from '../../scripts/grafana/facts.ts'
import { readGateway } from '../support/config.ts'
import { startGateway } from '../support/gateway.ts'
import { scraping, startPrometheus } from '../support/monitoring.ts'
import { freePort } from '../support/ports.ts'
import { ROOT } from '../support/process.ts'
import { startTarget } from '../support/target.ts'
import { needs } from '../support/tools.ts'
import { until } from '../support/until.ts'
import { ask } from '../transport/support.ts'
import { dashboardProblems } from './dashboard-check.ts'

// biome-ignore lint/suspicious/noExplicitAny: the checker is what knows its shape
type Json = Record<string, any>

const ORIGINS = ['http://10.0.0.1:80', 'http://10.0.0.2:80', 'http://10.0.0.3:80']
const OPTIONS = { name: 'holdfast', job: 'holdfast', folder: '/dashboards' }

async function dashboardsOf(config: object): Promise<Json[]> {
  const { config: gateway, problems } = await readGateway(config, 'test.config.ts')
  assert.deepEqual(problems, [])
  const files = grafanaFiles(factsOf(gateway), compileRules(gateway.alerts?.rules ?? []), OPTIONS)
  return [...files].filter(([path]) => path.endsWith('.json')).map(([, text]) => JSON.parse(text))
}

const RULES = [
  { name: 'errors', errorRate: { above: 0.05 }, severity: 'critical' },
  { name: 'errors soon', errorRate: { above: 0.01 } },
  { name: 'slow', latency: { above: '300ms' }, action: { shed: { upstream: 'users', share: 0.1 } } },
  { name: 'slower', latency: { quantile: 0.95, above: '1s' }, severity: 'critical' },
  { name: 'quiet', throughput: { below: 1 } },
  { name: 'busy', throughput: { above: 500 } },
  { name: 'full', saturation: { inflightAbove: 0.8 } },
  { name: 'few', targets: { eligibleBelow: '50%' } },
  { name: 'slow users', route: '/users/*', latency: { above: '250ms' } },
  { name: 'limited users', route: '/users/*', rateLimited: { above: 0.2 } },
  { name: 'few users', upstream: 'users', targets: { eligibleBelow: 2 } },
  { name: 'half of users', upstream: 'users', targets: { eligibleBelow: '50%' } },
  { name: 'full users', upstream: 'users', saturation: { inflightAbove: 0.7 } },
  { name: 'burning', route: '/users/*', burnRate: { objective: 0.999 } },
]

const config = (admin: number, origins: readonly string[]) => ({
  admin: { port: admin },
  upstreams: {
    users: {
      targets: origins.map((origin) => ({ origin })),
      circuitBreaker: {},
      adaptiveConcurrency: {},
      healthCheck: { path: '/healthz', interval: '200ms' },
    },
    search: {
      targets: [...origins.slice(0, 2).map((origin) => ({ origin })), { origin: origins.at(-1), tier: 1 }],
    },
  },
  routes: [
    { path: '/users/*', upstream: 'users', rateLimit: { max: 30, per: '1m' } },
    { path: '/search/*', name: 'a "search"\\', upstream: 'search' },
    { path: '/old', redirect: '/new' },
  ],
  alerts: { evaluateEvery: '100ms', rules: RULES, notify: [{ webhook: `${origins[0]}/told` }] },
})

const panelsOf = (dashboard: Json): Json[] => dashboard['panels'].filter(({ type }: Json) => type !== 'row')

describe('the dashboards', () => {
  it('are what Grafana expects, with all that a config may have and with next to nothing', async () => {
    const everything = config(9901, ORIGINS)
    const { admin, routes, upstreams } = everything
    const least = { admin, upstreams: {}, routes: [routes[2]] }
    const all = [
      everything,
      { ...everything, metrics: { perTarget: 'histograms' } },
      { admin, upstreams, routes, metrics: { perTarget: false } },
      least,
    ]
    for (const one of all) {
      const dashboards = await dashboardsOf(one)
      assert.deepEqual(
        dashboards.map(({ uid }) => uid),
        ['holdfast-overview', 'holdfast-routes', 'holdfast-upstreams'],
      )
      assert.deepEqual(dashboards.flatMap(dashboardProblems), [])
    }
    const metricsIn = async (one: object) =>
      [...JSON.stringify(await dashboardsOf(one)).matchAll(/holdfast_\w+/g)].map(([name]) => name)
    assert.deepEqual(
      (await metricsIn(least)).filter((name) =>
        /alert|breaker|health|concurrency|limit_dec|retry|expiry/.test(name),
      ),
      [],
    )
    const plain = { ...least, upstreams: { users: { targets: [{ origin: ORIGINS[0] }] } } }
    assert.deepEqual(
      (await metricsIn(plain)).filter((name) => /breaker|health|concurrency/.test(name)),
      [],
      'panels of what is switched off',
    )
    assert.ok(!(await metricsIn(all[2] as object)).some((name) => name.startsWith('holdfast_target_')))
    assert.ok((await metricsIn(all[1] as object)).includes('holdfast_target_attempt_duration_seconds_bucket'))
  })

  it('showed the numbers of whatever else the same Prometheus scrapes', async () => {
    for (const dashboard of await dashboardsOf(config(9901, ORIGINS))) {
      const [, job, ...others] = dashboard['templating'].list
      assert.deepEqual([job.name, job.current.value], ['job', ['holdfast']])
      for (const { name, definition } of others) assert.match(definition, /\{job=~"\$job"/, name)
      const exprs = [
        ...dashboard['annotations'].list.slice(1),
        ...panelsOf(dashboard).flatMap(({ targets }) => targets),
      ].map(({ expr }) => expr as string)
      for (const expr of exprs)
        for (const [selector] of expr.matchAll(/\w+\{[^}]*/g)) assert.match(selector, /\{job=~"\$job"/, expr)
    }
  })

  it('showed open WebSockets as saturation', async () => {
    const all = JSON.stringify(await dashboardsOf(config(9901, ORIGINS)))
    assert.match(all, /sum\(holdfast_alert_inflight[^/]* \/ \(sum\(holdfast_alert_capacity/)
    assert.doesNotMatch(all, /holdfast_upstream_inflight[^/"]*\/ \(/)
  })

  it('are checked by a checker that sees what is wrong', async () => {
    const [good] = await dashboardsOf(config(9901, ORIGINS))
    const spoilt = (spoil: (dashboard: Json, panel: Json) => void): string[] => {
      const dashboard = structuredClone(good as Json)
      spoil(dashboard, panelsOf(dashboard)[7] as Json)
      return dashboardProblems(dashboard)
    }
    const cases: [(dashboard: Json, panel: Json) => void, RegExp][] = [
      [(_, panel) => (panel['id'] = 1), /its id is none, or another/],
      [(_, panel) => (panel['gridPos'].x = 20), /outside of the grid/],
      [(_, panel) => (panel['gridPos'].y -= 3), /stands on/],
      [(_, panel) => (panel['targets'][0].expr += '{a="$nobody"}'), /\$nobody is not defined/],
      [(_, panel) => panel['targets'].push(panel['targets'][0]), /refIds are none, or there twice/],
      [(_, panel) => delete panel['targets'][0].refId, /refIds/],
      [(_, panel) => (panel['fieldConfig'].defaults.unit = 'parrots'), /no unit parrots/],
      [(_, panel) => panel['fieldConfig'].defaults.thresholds.steps.reverse(), /thresholds/],
      [(dashboard) => dashboard['templating'].list.reverse(), /too early|cannot be chosen/],
      [(dashboard) => (dashboard['uid'] = 'a b'), /the uid/],
    ]
    for (const [spoil, message] of cases) assert.match(spoilt(spoil).join('\n'), message)
  })

  it('draw the limits of the alert rules, with the numbers of the config', async () => {
    const [overview, routes, upstreams] = await dashboardsOf(config(9901, ORIGINS))
    const panel = (dashboard: Json | undefined, title: string, type = 'timeseries'): Json =>
      panelsOf(dashboard as Json).find((one) => one['title'] === title && one['type'] === type) ??
      assert.fail(`no panel ${title}`)
    const steps = (title: string, type?: string) =>
      panel(overview, title, type)['fieldConfig'].defaults.thresholds.steps.map(({ value, color }: Json) => [
        value,
        color,
      ])
    const errors = [
      [null, 'green'],
      [0.01, 'orange'],
      [0.05, 'red'],
    ]
    assert.deepEqual(steps('Errors'), errors)
    assert.deepEqual(steps('Errors', 'stat'), errors)
    assert.match(
      panel(overview, 'Errors')['description'],
      /Alerts: errors above 0\.05 \(critical\), errors soon above 0\.01/,
    )
    assert.deepEqual(steps('Latency'), [
      [null, 'green'],
      [0.3, 'orange'],
      [1, 'red'],
    ])
    assert.deepEqual(steps('p99', 'stat'), [
      [null, 'green'],
      [0.3, 'orange'],
    ])
    assert.deepEqual(steps('Requests by result'), [
      [null, 'orange'],
      [1, 'green'],
      [500, 'orange'],
    ])
    assert.deepEqual(steps('Saturation').at(-1), [0.8, 'orange'])
    assert.deepEqual(steps('Usable targets', 'stat'), [
      [null, 'orange'],
      [0.5, 'green'],
    ])
    const limits = (dashboard: Json | undefined, title: string): string[] => {
      const { targets, fieldConfig } = panel(dashboard, title)
      const dashed = fieldConfig.overrides.map(({ matcher }: Json) => matcher.options)
      return targets
        .filter(({ refId }: Json) => dashed.includes(refId))
        .map(({ legendFormat }: Json) => legendFormat)
    }
    assert.deepEqual(limits(routes, 'p99'), ['{{route}} above 0.25: slow users (warning)'])
    assert.deepEqual(limits(routes, 'Over a rate limit'), ['{{route}} above 0.2: limited users (warning)'])
    assert.deepEqual(limits(routes, 'Errors').length > 1, true)
    assert.ok(limits(routes, 'Errors').every((legend) => legend.includes(': burning (')))
    assert.deepEqual(limits(upstreams, 'Targets'), ['{{upstream}} below 2: few users (warning)'])
    assert.deepEqual(limits(upstreams, 'Usable and in flight'), [
      '{{upstream}} below 0.5: half of users (warning)',
      '{{upstream}} above 0.7: full users (warning)',
    ])
  })
})

/** What shows nothing as long as all is well. */
const EMPTY_AT_BEST = ['Panic (mark)']

/** A gateway in trouble, so that everything has something to show, and a Prometheus that scrapes it. */
async function scraped(t: TestContext) {
  let calls = 0
  /** One of so many requests fails. */
  let failEvery = Number.POSITIVE_INFINITY
  const shaky = await startTarget(t, (seen, response) => {
    response.statusCode = seen.url !== '/healthz' && ++calls % failEvery === 0 ? 503 : 200
    response.end('ok')
  })
  const good = await startTarget(t)
  const spare = await startTarget(t)
  const admin = await freePort()
  const whole = config(admin, [good.origin, shaky.origin, spare.origin])
  const gateway = await startGateway({ ...whole, metrics: { perTarget: 'histograms' } } as object)
  t.after(() => {
    gateway.app.server.closeAllConnections()
    gateway.app.admin?.server.closeAllConnections()
    void gateway.app.close()
  })
  const prometheus = await startPrometheus(t, scraping(`127.0.0.1:${admin}`))
  const query = async (expr: string): Promise<Json> => {
    const answer = await fetch(`${prometheus}/api/v1/query?${new URLSearchParams({ query: expr })}`)
    return (await answer.json()) as Json
  }
  const value = async (expr: string): Promise<number> =>
    Number((await query(expr))['data']?.result[0]?.value[1])
  const fail = (every: number): void => {
    failEvery = every
  }
  return { gateway, whole, prometheus, query, value, fail }
}

/** As Grafana would fill them in with all chosen. */
const filled = (expr: string): string =>
  expr.replaceAll('$__rate_interval', '1m').replace(/\$(job|instance|route|upstream)\b/g, '.*')

describe('their expressions, in Prometheus', { timeout: 60_000 }, () => {
  it('name metrics that there are, and every panel has something to show', needs('prometheus'), async (t) => {
    const { gateway, whole, prometheus, query, value, fail } = await scraped(t)
    await until('the first scrape', async () => (await value('count(holdfast_build_info)')) === 1, 20_000)
    // What rose before the first scrape, or with it, is no rise to Prometheus.
    fail(10)
    const search = () => ask(gateway.port, { url: '/search/1' })
    await until(
      'a first failure that was scraped',
      async () => {
        for (let i = 0; i < 10; i++) await search()
        return (await value('holdfast_target_attempts_total{upstream="search",result="5xx"}')) > 0
      },
      20_000,
    )
    fail(1)
    await until(
      'traffic, refusals, retries, an ejection and an alert that were scraped',
      async () => {
        for (let i = 0; i < 10; i++) {
          await ask(gateway.port, { url: '/users/1' })
          await search()
        }
        await ask(gateway.port, { url: '/nothing' })
        await ask(gateway.port, { url: '/old' })
        const seen = [
          'sum(rate(holdfast_errors_total[1m]))',
          'sum(rate(holdfast_upstream_attempt_kinds_total{kind="retry"}[1m]))',
          'sum(rate(holdfast_rate_limit_decisions_total{result="refused"}[1m]))',
          'sum(rate(holdfast_upstream_events_total{event="ejected"}[1m]))',
          'sum(rate(holdfast_target_attempts_total{result="5xx"}[1m]))',
          'sum(rate(holdfast_requests_total{route="/users/*"}[1m]))',
          'max(holdfast_alerts_firing)',
        ]
        return (await Promise.all(seen.map(value))).every((one) => one > 0)
      },
      20_000,
    )
    const names = new Set<string>(
      ((await (await fetch(`${prometheus}/api/v1/label/__name__/values`)).json()) as Json)['data'],
    )
    let expressions = 0
    const histograms = { ...whole, metrics: { perTarget: 'histograms' } }
    for (const dashboard of [...(await dashboardsOf(whole)), ...(await dashboardsOf(histograms))]) {
      const marks = dashboard['annotations'].list
        .slice(1)
        .map(({ expr, name }: Json) => ({ expr, title: `${name} (mark)` }))
      const panels = panelsOf(dashboard).map(({ title, targets }) => ({
        title,
        exprs: targets.map(({ expr }: Json) => expr) as string[],
      }))
      for (const { title, exprs } of [
        ...panels,
        ...marks.map(({ title, expr }: Json) => ({ title, exprs: [expr] })),
      ]) {
        const where = `${dashboard['title']}: ${title}`
        // A scrape that comes too late, on a busy machine, leaves a gap.
        const shown = async (): Promise<boolean> => {
          let samples = 0
          for (const expr of exprs as string[]) {
            const answer = await query(filled(expr))
            assert.equal(answer['status'], 'success', `${where}: ${answer['error']}\n${expr}`)
            samples += answer['data'].result.filter(({ value }: Json) => value[1] !== 'NaN').length
          }
          return samples > 0 || EMPTY_AT_BEST.includes(title)
        }
        await until(`something to show at ${where}: ${exprs.join('\n')}`, shown, 10_000)
        for (const expr of exprs as string[]) {
          expressions++
          const used = expr.match(/\b[a-zA-Z_][a-zA-Z0-9_]*(?=\{)/g) ?? []
          assert.ok(used.length > 0, `${where} names no metric`)
          for (const name of used) assert.ok(names.has(name), `${where}: there is no metric ${name}`)
        }
      }
      for (const { definition } of dashboard['templating'].list.slice(1)) {
        const [, metric, label] = /^label_values\((\w+)(?:\{.*\})?, (\w+)\)$/.exec(definition) ?? []
        const values = async () => (await query(`count by (${label}) (${metric})`))['data'].result.length > 0
        await until(definition, values, 10_000)
      }
    }
    assert.ok(expressions > 80, `only ${expressions} expressions were looked at`)
  })
})

describe('npm run export:grafana', { timeout: 30_000 }, () => {
  const exported = (args: readonly string[], env: NodeJS.ProcessEnv) =>
    new Promise<{ out: string; error: string; code: number }>((resolve) => {
      const script = join(ROOT, 'scripts/export-grafana.ts')
      const options = { cwd: ROOT, env: { ...process.env, ...env } }
      execFile(process.execPath, [script, ...args], options, (error, out, err) =>
        resolve({ out, error: err, code: Number(error?.code ?? 0) }),
      )
    })

  it('writes the same bytes each time, and says what is missing', async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-grafana-'))
    t.after(() => rm(folder, { recursive: true, force: true }))
    const file = join(folder, 'gateway.config.ts')
    const text = JSON.stringify(config(9901, ORIGINS))
    await writeFile(file, `export default ${text}`)
    const contents = async (out: string): Promise<Record<string, string>> => {
      const { code, error } = await exported(['--out', out], { GATEWAY_CONFIG: file })
      assert.deepEqual({ code, error }, { code: 0, error: '' })
      const paths = (await readdir(out, { recursive: true })).filter((path) => /\.\w+$/.test(path)).sort()
      return Object.fromEntries(
        await Promise.all(paths.map(async (path) => [path, await readFile(join(out, path), 'utf8')])),
      )
    }
    const [once, again] = await Promise.all([contents(join(folder, 'a')), contents(join(folder, 'b'))])
    assert.deepEqual(Object.keys(once), [
      'dashboards/holdfast-overview.json',
      'dashboards/holdfast-routes.json',
      'dashboards/holdfast-upstreams.json',
      'provisioning/dashboards/holdfast.yaml',
    ])
    assert.deepEqual(once, again)
    const page = await readFile(join(ROOT, 'docs/grafana.md'), 'utf8')
    assert.ok(
      page.includes(
        Object.keys(once)
          .map((path) => `deploy/grafana/${path}\n`)
          .join(''),
      ),
    )
    assert.match(
      once['provisioning/dashboards/holdfast.yaml'] as string,
      /path: "\/var\/lib\/grafana\/dashboards"/,
    )

    await writeFile(file, 'export default { upstreams: {}, routes: [] }')
    const { code, error } = await exported(['--out', join(folder, 'c')], { GATEWAY_CONFIG: file })
    assert.equal(code, 1)
    assert.match(
      error,
      /^gateway\.config\.ts has no admin listener, so nobody can scrape it; add `admin: \{ port: 9901 \}`\n$/,
    )
    const named = await exported(['--name', 'A b'], { GATEWAY_CONFIG: file })
    assert.match(named.error, /^--name is "A b"; take a short one/)
  })
})
