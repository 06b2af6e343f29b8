/**
 * `npm run export:grafana`: writes dashboards for Grafana (11 or later) that fit the config, and a file that has Grafana
 * read them. Into `deploy/grafana`, or into `--out <folder>`.
 */

import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import type { GatewayConfig } from '../plugins/config/define.ts'
import { ConfigError } from '../plugins/config/errors.ts'
import { loadGateway } from '../plugins/config/load.ts'
import { messageOf } from '../plugins/config/messages.ts'
import { grafanaFiles } from './grafana/dashboards.ts'
import { factsOf } from './grafana/facts.ts'

const NAME = /^[a-z][a-z0-9-]{0,24}$/

/** The limits of alert rules are drawn; who has taken alerts out has none. */
async function rulesOf({ alerts }: GatewayConfig) {
  if (alerts === undefined) return []
  const { compileRules } = await import('../plugins/alerts/rules/compile.ts')
  return compileRules(alerts.rules)
}

async function run(): Promise<void> {
  const { values } = parseArgs({
    options: {
      out: { type: 'string', default: 'deploy/grafana' },
      name: { type: 'string', default: 'holdfast' },
      job: { type: 'string', default: 'holdfast' },
      path: { type: 'string', default: '/var/lib/grafana/dashboards' },
    },
  })
  const { out, name, job, path } = values
  if (!NAME.test(name))
    throw new Error(`--name is "${name}"; take a short one of small letters, digits and hyphens`)
  const { file, config, problems } = await loadGateway()
  if (problems.length > 0) throw new ConfigError(file, problems)
  const { admin, metrics }: Partial<GatewayConfig> = config
  if (metrics === undefined) throw new Error('there are no metrics to show: plugins/metrics is missing')
  if (admin === undefined)
    throw new Error(`${file} has no admin listener, so nobody can scrape it; add \`admin: { port: 9901 }\``)
  const files = grafanaFiles(factsOf(config), await rulesOf(config), { name, job, folder: path })
  for (const [relative, text] of files) {
    const target = join(out, relative)
    mkdirSync(dirname(target), { recursive: true })
    writeFileSync(target, text)
    console.log(target)
  }
}

try {
  await run()
} catch (error) {
  console.error(messageOf(error))
  process.exitCode = 1
}
