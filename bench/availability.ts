// What clients notice when a target fails, behind Holdfast and other gateways. See bench/README.md.
import { writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import type { Children } from './availability/children.ts'
import { withChildren } from './availability/command.ts'
import { measureCalm, measureFault, type Result, type Setting } from './availability/course.ts'
import { faults } from './availability/faults.ts'
import { gateways, type Started, startGateway } from './availability/gateways.ts'
import type { Figures, Quantiles } from './availability/judge.ts'
import { type Options, readOptions, usage } from './availability/options.ts'
import { steadyPorts } from './availability/ports.ts'
import { calmTable, faultTable, goals } from './availability/report.ts'
import { Targets } from './availability/targets.ts'

const targetCount = 3

async function run(options: Options, children: Children): Promise<void> {
  const ports = await steadyPorts(targetCount + gateways.length)
  const targets = new Targets(children, ports.slice(0, targetCount), options.latency)
  await Promise.all(targets.ports.map((_, index) => targets.start(index)))
  const { rate, seconds, calm, seed } = options
  const setting: Setting = { targets, rate, seconds, calm, seed }

  const started: Started[] = []
  for (const [index, gateway] of gateways.entries()) {
    if (!(options.only?.includes(gateway.name) ?? true)) continue
    const missing = gateway.missing()
    if (missing !== undefined) console.log(`skipped  ${gateway.name}: ${missing}`)
    else started.push(await startGateway(children, gateway, ports[targetCount + index]!, targets.ports))
  }
  if (started.length === 0) throw new Error('nothing to measure')

  const calms = new Map<string, Quantiles>()
  for (const gateway of started) calms.set(gateway.name, await measureCalm(setting, gateway))
  console.log(`${heading(options)}\n\nWith nothing broken:\n\n${calmTable(calms)}`)

  const figures = new Map<string, Map<string, Figures>>()
  const results: Record<string, Record<string, Result>> = {}
  for (const fault of faults.filter(({ name }) => options.faults?.includes(name) ?? true)) {
    const ofFault = new Map<string, Figures>()
    results[fault.name] = {}
    for (const gateway of started) {
      const result = await measureFault(setting, gateway, calms.get(gateway.name)!, fault)
      ofFault.set(gateway.name, result.figures)
      results[fault.name]![gateway.name] = result
    }
    figures.set(fault.name, ofFault)
    console.log(`\n${fault.name}\n\n${faultTable(ofFault)}`)
  }
  console.log(`\n${goals(figures, calms).join('\n')}`)
  if (options.json !== undefined) {
    const about = { at: new Date().toISOString(), cpu: cpus()[0]?.model, node: process.version, options }
    const file = { ...about, calm: Object.fromEntries(calms), faults: results }
    writeFileSync(options.json, `${JSON.stringify(file, null, 2)}\n`)
  }
}

function heading({ rate, seconds, seed, latency }: Options): string {
  return (
    `${rate} requests/s (80 % GET, 20 % POST), faults of ${seconds} s on one of three targets or as named,` +
    ` seed ${seed}${latency === 0 ? '' : `, targets take ${Math.round(latency / 6)} to ${latency} ms`}; ${cpus()[0]?.model.trim()}, Node ${process.version}.`
  )
}

await withChildren(
  usage,
  () =>
    readOptions(process.argv.slice(2), {
      gateways: gateways.map(({ name }) => name),
      faults: faults.map(({ name }) => name),
    }),
  run,
)
