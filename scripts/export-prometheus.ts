/**
 * `npm run export:prometheus`: writes the alert rules of the config as a rule file for Prometheus (2.42 or later), to
 * standard output or to `--out <file>`. They are about the gateways that Prometheus scrapes as `--job <name>` (default
 * holdfast). `--tests <file>` writes tests for `promtool test rules` as well, `--fleet` makes one alert over all gateways
 * of the job instead of one for each.
 */

import { writeFileSync } from 'node:fs'
import { basename, dirname, relative } from 'node:path'
import { parseArgs } from 'node:util'
import { ruleFile } from '../plugins/alerts/prometheus/rule-file.ts'
import { ruleTests } from '../plugins/alerts/prometheus/rule-tests.ts'
import { yaml } from '../plugins/alerts/prometheus/yaml.ts'
import { compileRules } from '../plugins/alerts/rules/compile.ts'
import { ConfigError } from '../plugins/config/errors.ts'
import { loadGateway } from '../plugins/config/load.ts'
import { messageOf } from '../plugins/config/messages.ts'

function run(): Promise<void> {
  const { values } = parseArgs({
    options: {
      out: { type: 'string' },
      tests: { type: 'string' },
      job: { type: 'string', default: 'holdfast' },
      fleet: { type: 'boolean', default: false },
    },
  })
  return write(values)
}

async function write(to: { out?: string; tests?: string; job: string; fleet: boolean }): Promise<void> {
  const { file, config, problems } = await loadGateway()
  if (problems.length > 0) throw new ConfigError(file, problems)
  const { alerts } = config
  if (alerts === undefined) throw new Error(`${file} has no alerts; add the key \`alerts\``)
  if (to.tests !== undefined && to.out === undefined)
    throw new Error('the tests name the file that they test; say which one with --out <file>')
  const rules = compileRules(alerts.rules)
  const options = { evaluateEvery: alerts.evaluateEvery, job: to.job, fleet: to.fleet }
  const head = `# Made from ${basename(file)} by \`npm run export:prometheus\`: change it there.\n`
  const text = head + yaml(ruleFile(rules, options))
  if (to.out === undefined) process.stdout.write(text)
  else writeFileSync(to.out, text)
  if (to.tests === undefined || to.out === undefined) return
  writeFileSync(to.tests, head + yaml(ruleTests(rules, options, relative(dirname(to.tests), to.out))))
}

try {
  await run()
} catch (error) {
  console.error(messageOf(error))
  process.exitCode = 1
}
