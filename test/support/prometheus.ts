import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { freePort } from './ports.ts'
import { until } from './until.ts'

/** A Prometheus that scrapes `target` four times a second; ended with the test. Resolves with its address. */
export async function startPrometheus(t: Pick<TestContext, 'after'>, target: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-prometheus-'))
  const config = join(folder, 'prometheus.yml')
  const scrape = `{ job_name: holdfast, static_configs: [{ targets: ['${target}'] }] }`
  await writeFile(config, `global: { scrape_interval: 250ms }\nscrape_configs: [${scrape}]\n`)
  const address = `127.0.0.1:${await freePort()}`
  const child = spawn(
    'prometheus',
    [
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=${address}`,
      // It would look for its targets after five seconds.
      '--scrape.discovery-reload-interval=100ms',
      '--log.level=error',
    ],
    { stdio: 'ignore' },
  )
  t.after(async () => {
    if (child.exitCode === null && child.kill('SIGKILL')) await once(child, 'exit')
    await rm(folder, { recursive: true, force: true })
  })
  const ready = () =>
    fetch(`http://${address}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    )
  await until('Prometheus', ready, 20_000)
  return `http://${address}`
}
