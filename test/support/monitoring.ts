import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { freePort } from './ports.ts'
import { until } from './until.ts'

/** Runs one until it is ready, on a port of its own; returns its address. It is killed when the test ends. */
async function start(
  t: Pick<TestContext, 'after'>,
  command: string,
  flags: readonly string[],
): Promise<string> {
  const address = `127.0.0.1:${await freePort()}`
  const child = spawn(command, [...flags, `--web.listen-address=${address}`, '--log.level=error'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let output = ''
  child.stderr.on('data', (chunk) => (output += chunk))
  t.after(async () => {
    if (child.exitCode === null && child.kill('SIGKILL')) await once(child, 'exit')
  })
  const ready = () =>
    fetch(`http://${address}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    )
  await until(command, async () => child.exitCode !== null || (await ready()), 20_000)
  if (child.exitCode !== null) throw new Error(output)
  return `http://${address}`
}

async function folderWith(t: Pick<TestContext, 'after'>, name: string, text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-monitoring-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  await writeFile(join(folder, name), text)
  return folder
}

/** A Prometheus with this config (YAML, of which JSON is a part). */
export async function startPrometheus(t: Pick<TestContext, 'after'>, config: object): Promise<string> {
  const folder = await folderWith(t, 'prometheus.yml', JSON.stringify(config))
  return start(t, 'prometheus', [
    `--config.file=${folder}/prometheus.yml`,
    `--storage.tsdb.path=${folder}/data`,
    '--enable-feature=exemplar-storage',
    // It would look for its targets after five seconds.
    '--scrape.discovery-reload-interval=100ms',
  ])
}

/** The config of one that scrapes `target` at `/metrics`, four times a second unless told. */
export function scraping(target: string, every = '250ms'): object {
  return {
    global: { scrape_interval: every },
    scrape_configs: [{ job_name: 'holdfast', static_configs: [{ targets: [target] }] }],
  }
}

/** An Alertmanager that tells nobody. */
export async function startAlertmanager(t: Pick<TestContext, 'after'>): Promise<string> {
  const config = { route: { receiver: 'none' }, receivers: [{ name: 'none' }] }
  const folder = await folderWith(t, 'alertmanager.yml', JSON.stringify(config))
  return start(t, 'prometheus-alertmanager', [
    `--config.file=${folder}/alertmanager.yml`,
    `--storage.path=${folder}/data`,
    '--cluster.listen-address=',
  ])
}
