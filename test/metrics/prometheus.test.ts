/** What Prometheus itself says to the page, and that the page is the one that docs/metrics.md describes. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { startGateway } from '../support/gateway.ts'
import { freePort, ROOT } from '../support/process.ts'
import { startTarget } from '../support/target.ts'
import { until } from '../support/until.ts'
import { ask } from '../transport/support.ts'
import { samplesOf } from './support.ts'

/** A gateway in which every concern that has something to show has it, and which has served a request. */
async function busyGateway(t: TestContext) {
  const { origin } = await startTarget(t)
  const admin = await freePort()
  const gateway = await startGateway({
    admin: { port: admin },
    metrics: { perTarget: 'histograms' },
    upstreams: {
      main: {
        targets: [{ origin, zone: 'a "zone"' }],
        circuitBreaker: {},
        adaptiveConcurrency: {},
        healthCheck: { path: '/', interval: '100ms' },
      },
    },
    routes: [{ path: '/*', name: 'every "one"\\', upstream: 'main' }],
  } as object)
  t.after(() => {
    gateway.app.server.closeAllConnections()
    gateway.app.admin?.server.closeAllConnections()
    void gateway.app.close()
  })
  const page = async (): Promise<string> => (await ask(admin, { url: '/metrics' })).body.toString()
  await until('a served request', async () => {
    const { status } = await ask(gateway.port, { url: '/hello' })
    await ask(gateway.port, { url: '/a%00b' })
    const samples = samplesOf(await page())
    const errors = [...samples.keys()].some((series) => series.startsWith('holdfast_errors_total'))
    return (
      status === 200 &&
      errors &&
      samples.get(`holdfast_health_check_healthy{upstream="main",target="${origin}"}`) === 1
    )
  })
  return { ...gateway, admin, origin, page }
}

async function startPrometheus(t: TestContext, target: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-prometheus-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const config = join(folder, 'prometheus.yml')
  await writeFile(
    config,
    `global: { scrape_interval: 250ms }\nscrape_configs: [{ job_name: holdfast, static_configs: [{ targets: ['${target}'] }] }]\n`,
  )
  const address = `127.0.0.1:${await freePort()}`
  const child = spawn(
    'prometheus',
    [
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=${address}`,
      '--enable-feature=exemplar-storage',
      // It would look for its targets after five seconds.
      '--scrape.discovery-reload-interval=100ms',
      '--log.level=error',
    ],
    { stdio: 'ignore' },
  )
  t.after(async () => {
    if (child.exitCode === null && child.kill('SIGKILL')) await once(child, 'exit')
  })
  const url = `http://${address}`
  await until(
    'Prometheus',
    () =>
      fetch(`${url}/-/ready`).then(
        ({ ok }) => ok,
        () => false,
      ),
    20_000,
  )
  return url
}

test('Prometheus scrapes it, as OpenMetrics, with its exemplars, and counts what the gateway counts', async (t) => {
  const gateway = await busyGateway(t)
  const url = await startPrometheus(t, `127.0.0.1:${gateway.admin}`)
  const get = async (path: string, parameters: Record<string, string>) => {
    const response = await fetch(`${url}/api/v1/${path}?${new URLSearchParams(parameters)}`)
    return ((await response.json()) as { data: never }).data
  }
  const query = async (text: string) => {
    const { result } = (await get('query', { query: text })) as {
      result: { metric: Record<string, string>; value: [number, string] }[]
    }
    return result
  }
  // The name of the route has all that has to be escaped.
  const series = 'sum(holdfast_requests_total{route="every \\"one\\"\\\\"})'
  const { requests } = gateway.app.measures.total()
  // What is wrong with a scrape is said here, and nowhere else.
  const state = async (): Promise<string> => {
    const { activeTargets } = (await get('targets', {})) as {
      activeTargets: { health: string; lastError: string }[]
    }
    return activeTargets.map(({ health, lastError }) => `${health} ${lastError}`).join()
  }
  await until('a scrape', async () => /^(up|down)/.test(await state()), 20_000)
  assert.equal(await state(), 'up ')
  await until('all requests', async () => Number((await query(series))[0]?.value[1]) >= requests, 20_000)
  const now = Date.now() / 1000
  const exemplars = (await get('query_exemplars', {
    query: 'holdfast_request_duration_seconds_bucket',
    start: String(now - 600),
    end: String(now + 60),
  })) as { exemplars: { labels: Record<string, string> }[] }[]
  // Only the one format that has exemplars can have brought them.
  assert.ok(exemplars.some((one) => one.exemplars.some(({ labels }) => labels['request_id'] !== undefined)))
  const [quantile] = await query(
    'histogram_quantile(0.5, sum by (le) (holdfast_request_duration_seconds_bucket))',
  )
  assert.ok(Number(quantile?.value[1]) > 0)
  assert.deepEqual((await query('holdfast_target_info'))[0]?.metric['zone'], 'a "zone"')
})

interface Documented {
  readonly type: string
  readonly labels: string
}

/** The rows of docs/metrics.md: what each metric is called, its type and its labels. */
function documented(): Map<string, Documented> {
  const text = readFileSync(join(ROOT, 'docs/metrics.md'), 'utf8')
  const rows = text.matchAll(/^\| `([a-z0-9_]+)` +\| (counter|gauge|histogram|summary) +\| ([^|]*)\|/gm)
  return new Map(
    [...rows].map(([, name, type, labels]) => [
      name as string,
      { type: type as string, labels: (labels as string).replaceAll('`', '').trim() },
    ]),
  )
}

test('promtool has no complaint, and the docs say what there is: names, types and labels', async (t) => {
  const gateway = await busyGateway(t)
  const page = await gateway.page()
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
    input: page,
    encoding: 'utf8',
  })
  assert.equal(`${stdout}${stderr}`, '')
  assert.equal(status, 0)

  for (const [series, value] of samplesOf(page)) assert.ok(Number.isFinite(value), `${series} ${value}`)
  const docs = documented()
  const others = readdirSync(join(ROOT, 'docs'))
    .filter((file) => file.endsWith('.md'))
    .map((file) => readFileSync(join(ROOT, 'docs', file), 'utf8'))
    .join('\n')
  const samples = [...samplesOf(page).keys()]
  const seen = new Set<string>()
  for (const [, name = '', type] of page.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
    seen.add(name)
    const row = docs.get(name)
    // What another concern counts may be described on its own page.
    if (row === undefined) {
      const known = [name, name.replace('holdfast_', '')].some((one) => others.includes(`\`${one}\``))
      assert.ok(known, `no page in docs/ has \`${name}\``)
      continue
    }
    // A histogram of each target is one of the two that the config may ask for.
    if (name !== 'holdfast_target_attempt_duration_seconds') assert.equal(row.type, type, name)
    const sample = samples.find((series) => series.replace(/(_bucket|_sum|_count)?(\{.*)?$/, '') === name)
    const labels = [...(sample ?? '').matchAll(/[{,]([a-z_]+)="/g)].map(([, label]) => label)
    if (sample !== undefined)
      assert.equal(labels.filter((label) => label !== 'le').join(', '), row.labels, name)
  }
  for (const name of docs.keys())
    assert.ok(seen.has(name), `docs/metrics.md describes ${name}, which is not there`)
})
