// CPU per request and latency of Holdfast and of other proxies, in one run. See bench/README.md.

import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { availableParallelism, cpus } from 'node:os'
import { messageOf } from '../plugins/config/messages.ts'
import { type Contender, contenders } from './proxy/contenders.ts'
import {
  type Bench,
  checkProxy,
  loadCore,
  measure,
  proxyCore,
  type Sample,
  type Started,
  startProxy,
  warmUp,
} from './proxy/measure.ts'
import { type Options, readOptions, usage } from './proxy/options.ts'
import { findProgram, Processes } from './proxy/processes.ts'
import { disturbedAbove, Patience } from './proxy/quiet.ts'
import { report } from './proxy/report.ts'
import { startTargets } from './proxy/targets.ts'

const interrupted = 130
const needed = { taskset: 'util-linux', wrk: 'wrk', nginx: 'nginx' }

async function run(options: Options, processes: Processes): Promise<void> {
  const targets = await startTargets(processes, loadCore, options.body)
  const { body, connections, seconds } = options
  const bench: Bench = {
    processes,
    targets,
    body,
    connections,
    seconds,
    patience: new Patience(options.patience),
  }
  const chosen = contenders.filter(({ name }) => options.only?.includes(name) ?? true)
  const started: Started[] = []
  for (const contender of chosen) {
    const proxy = await prepare(bench, contender)
    if (proxy !== undefined) started.push(proxy)
  }
  if (started.length === 0) throw new Error('nothing to measure')

  const results = new Map<string, Sample[]>(started.map(({ contender }) => [contender.name, []]))
  for (let round = 0; round < options.rounds; round++) {
    const first = round % started.length
    for (const proxy of [...started.slice(first), ...started.slice(0, first)]) {
      const { name } = proxy.contender
      const samples = results.get(name)
      if (samples === undefined) continue // it has failed
      const sample = await orFailed(bench, proxy, () => measure(bench, proxy))
      if (sample === undefined) {
        results.delete(name)
        continue
      }
      samples.push(sample)
      const figures = `${sample.cpuPerRequest.toFixed(1)} µs/req, ${sample.perSecond.toFixed(0)} req/s`
      const note = sample.foreign > disturbedAbove ? '  (disturbed by other programs)' : ''
      console.log(`round ${round + 1}/${options.rounds}  ${name}: ${figures}${note}`)
    }
  }
  if (results.size === 0) throw new Error('every proxy has failed')
  console.log(`\n${heading(options)}\n\n${report(results, bench.patience.repeated)}`)
  if (options.json !== undefined) {
    const file = { at: new Date().toISOString(), cpu: cpus()[0]?.model, node: process.version, options }
    writeFileSync(
      options.json,
      `${JSON.stringify({ ...file, results: Object.fromEntries(results) }, null, 2)}\n`,
    )
  }
}

/** Starts a proxy and warms it up. One that is not installed is skipped; one that fails is left out and reported. */
async function prepare(bench: Bench, contender: Contender): Promise<Started | undefined> {
  const missing = contender.missing?.()
  if (missing !== undefined) {
    console.log(`skipped  ${contender.name}: ${missing}`)
    return undefined
  }
  const proxy = await orFailed(bench, undefined, () => startProxy(bench, contender))
  if (proxy === undefined) return undefined
  return orFailed(bench, proxy, async () => {
    for (const fault of await checkProxy(bench, proxy)) console.log(`doubtful ${fault}`)
    console.log(`warm     ${contender.name}: ${await warmUp(bench, proxy)} requests`)
    return proxy
  })
}

/** Undefined if it throws; the proxy is stopped then, and the exit code is 1. */
async function orFailed<T>(
  bench: Bench,
  proxy: Started | undefined,
  work: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    if (process.exitCode === interrupted) throw error
    console.error(`failed   ${messageOf(error)}`)
    process.exitCode = 1
    if (proxy !== undefined) await bench.processes.stop(proxy.running)
    return undefined
  }
}

function heading(options: Options): string {
  return (
    `${options.rounds} rounds of ${options.seconds} s, ${options.connections} connections, answers of ${options.body}` +
    ` bytes; proxy on core ${proxyCore}, load and targets on core ${loadCore}; ${cpus()[0]?.model.trim()},` +
    ` Node ${process.version}. Medians over the rounds.`
  )
}

function requireMachine(): void {
  for (const [program, debian] of Object.entries(needed)) {
    if (!findProgram(program)) throw new Error(`${program} is needed; Debian package: ${debian}`)
  }
  if (availableParallelism() < 2) throw new Error('two cores are needed: one for the proxy, one for the load')
  // Off the core that is being measured.
  execFileSync('taskset', ['-a', '-p', '-c', String(loadCore), String(process.pid)], { stdio: 'ignore' })
}

let options: Options
try {
  options = readOptions(
    process.argv.slice(2),
    contenders.map(({ name }) => name),
  )
  requireMachine()
} catch (error) {
  console.error(`${messageOf(error)}\n${usage}`)
  process.exit(1)
}

const processes = new Processes()
process.on('exit', () => processes.killAll())
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    if (process.exitCode === interrupted) process.exit() // the second time: at once
    process.exitCode = interrupted
    void processes.stopAll().then(() => process.exit())
  })
}
try {
  await run(options, processes)
} catch (error) {
  if (process.exitCode !== interrupted) {
    console.error(messageOf(error))
    process.exitCode = 1
  }
} finally {
  await processes.stopAll()
}
