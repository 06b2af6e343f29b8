// Which balancer suits which fleet: the gateway's own policies against a simulated one. See docs/load-balancing.md.
import { writeFileSync } from 'node:fs'
import { writeDocs } from './simulate/docs.ts'
import type { Fleet } from './simulate/fleet.ts'
import { labels, lineUp } from './simulate/line-up.ts'
import { type Options, readOptions, usage } from './simulate/options.ts'
import { definedBalancers, labelOf, problemOf, readPolicy } from './simulate/policies.ts'
import { plot } from './simulate/report/plot.ts'
import { type Row, table } from './simulate/report/table.ts'
import { simulate } from './simulate/run.ts'
import { loadScenario, scenarioNames } from './simulate/scenarios.ts'
import { checkTheory } from './simulate/theory-check.ts'

async function run(options: Options): Promise<void> {
  if (options.task === 'help') return console.log(usage)
  const balancers = await definedBalancers()
  if (options.task === 'list') {
    for (const name of scenarioNames()) console.log(`${name.padEnd(16)} ${(await loadScenario(name)).about}`)
    console.log(`\nbalancers: ${[...balancers.keys()].join(', ')}`)
    return
  }
  if (options.task === 'docs') return writeDocs(balancers, (line) => console.log(line))
  if (options.task === 'theory') {
    if (!checkTheory(options.seed, (line) => console.log(line))) process.exitCode = 1
    return
  }

  const described = await loadScenario(options.scenario)
  const fleet: Fleet =
    options.load === undefined
      ? described
      : { ...described, arrivals: { ...described.arrivals, load: options.load } }
  const choices = options.policies?.map(readPolicy) ?? lineUp(fleet, balancers)
  for (const choice of choices) {
    const problem = problemOf(choice, balancers)
    if (problem !== undefined) throw new Error(problem)
  }
  const requests = options.requests ?? fleet.requests
  console.log(`${options.scenario}: ${fleet.about}\n${requests} requests, seed ${options.seed}\n`)
  const rows: Row[] = []
  for (const choice of choices) {
    const started = performance.now()
    const figures = simulate(fleet, choice, balancers, { requests, seed: options.seed })
    rows.push({ label: labelOf(choice), figures })
    const seconds = (performance.now() - started) / 1000
    console.error(`${labelOf(choice)}: ${(figures.virtualMs / 1000).toFixed(0)} s in ${seconds.toFixed(1)} s`)
  }
  console.log(table(rows))
  if (options.plot !== undefined) {
    writeFileSync(
      options.plot,
      plot(`${options.scenario}: who waited how long`, rows, labels(balancers, choices)),
    )
  }
  if (options.json !== undefined) {
    const figures = rows.map(({ label, figures: { latencies: _, ...rest } }) => ({ policy: label, ...rest }))
    writeFileSync(
      options.json,
      `${JSON.stringify({ scenario: options.scenario, requests, seed: options.seed, fleet, figures }, null, 2)}\n`,
    )
  }
}

try {
  await run(readOptions(process.argv.slice(2)))
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  if ((error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS')) console.error(`\n${usage}`)
  process.exitCode = 1
}
