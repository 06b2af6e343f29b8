// Whether the gateway stays what it is under ten minutes of load and faults. See bench/README.md.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Children } from './availability/children.ts'
import { withChildren } from './availability/command.ts'
import { steadyPorts } from './availability/ports.ts'
import { Targets } from './availability/targets.ts'
import { executionsOf } from './soak/ledger.ts'
import { type Options, readOptions, usage } from './soak/options.ts'
import { drain, runCourse } from './soak/soak-course.ts'
import { startSoakGateway } from './soak/soak-gateway.ts'
import {
  avoidableOnes,
  courseTable,
  graveOnes,
  happenings,
  requestTable,
  verdictTable,
} from './soak/soak-report.ts'
import { type QuietState, verdicts } from './soak/verdicts.ts'

/** Of the targets in soak.config.ts; one more is the visitor's. */
const tiers = [0, 0, 1, 1]

/** Whether everything is as it has to be. */
async function run(options: Options, children: Children): Promise<boolean> {
  const { minutes, rate, seed, snapshots } = options
  const [gateway, admin, inspector, ...ports] = await steadyPorts(3 + tiers.length + 1)
  const targets = new Targets(children, ports)
  await Promise.all(ports.map((_, index) => targets.start(index)))
  const origins = ports.map((port) => `http://127.0.0.1:${port}`)
  const base = tiers.map((tier, index) => ({ origin: origins[index]!, tier }))
  const holdfast = await startSoakGateway(
    children,
    { gateway: gateway!, admin: admin!, inspector: inspector! },
    ports.slice(0, tiers.length),
  )
  console.log(`${rate} requests/s for ${minutes} min, seed ${seed}, Node ${process.version}`)
  if (snapshots !== undefined) mkdirSync(snapshots, { recursive: true })
  const setting = {
    ...{
      gateway: holdfast,
      targets,
      base,
      visitor: origins[tiers.length]!,
      seed,
      rate,
      ms: minutes * 60_000,
    },
    say: (line: string) => console.log(line),
    async inQuiet(number: number) {
      if (snapshots !== undefined)
        await holdfast.inspector.snapshot(join(snapshots, `quiet-${number}.heapsnapshot`))
    },
  }
  const course = await runCourse(setting)
  const drained = await drain(setting)

  const { ledger, watch } = course
  const { twice, lost } = executionsOf(ledger, targets.executions())
  const judged = verdicts({
    quiet: course.quiet as [QuietState, QuietState, QuietState],
    samples: watch.samples.filter(({ phase }) => phase === 'first' || phase === 'second'),
    ledger,
    twice: twice.length,
    lost: lost.length,
    outputProblems: holdfast.output.problemCount,
    problems: [...course.problems, ...watch.problems],
    drain: drained,
  })
  console.log(
    `\n${courseTable(watch.samples)}\n\n${requestTable(ledger)}\n\n${happenings(course, holdfast.output)}`,
  )
  for (const line of [
    ...avoidableOnes(course.avoidable),
    ...graveOnes(ledger),
    ...graveOnes(drained.ledger),
  ]) {
    console.log(line)
  }
  console.log(`\nWhile draining:\n\n${requestTable(drained.ledger)}\n\n${verdictTable(judged)}`)
  if (options.json !== undefined) {
    const figures = {
      ...{
        at: new Date().toISOString(),
        node: process.version,
        options,
        verdicts: judged,
        quiet: course.quiet,
      },
      ...{ samples: watch.samples, grave: ledger.grave, graveInDrain: drained.ledger.grave },
      ...{
        problems: course.problems,
        avoidable: course.avoidable,
        output: holdfast.output.problems,
        twice,
        lost,
      },
    }
    writeFileSync(options.json, `${JSON.stringify(figures, null, 2)}\n`)
  }
  return judged.every(({ ok }) => ok)
}

const good = await withChildren(usage, () => readOptions(process.argv.slice(2)), run)
// Not left to the event loop: a client that hangs would keep it alive.
process.exit(good === true ? 0 : 1)
