import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Contender } from './contenders.ts'
import { freePorts, listening, type Processes, type Running } from './processes.ts'
import { foreignShare, type Patience, usage } from './quiet.ts'
import { checkPath, type Targets } from './targets.ts'
import { type Load, runWrk } from './wrk.ts'

export const proxyCore = 0
export const loadCore = 1
const loadPath = '/api/items/42?fields=name'
const cores = [proxyCore, loadCore]

export interface Bench {
  processes: Processes
  targets: Targets
  /** Bytes of the targets' answer. */
  body: number
  connections: number
  seconds: number
  patience: Patience
}

export interface Started {
  contender: Contender
  running: Running
  url: string
}

/** One measured window of one proxy. */
export interface Sample extends Load {
  cpuPerRequest: number
  /** Share of the window in which the proxy used its core. */
  ownCore: number
  /** What other programs used of both cores, as a share of one. */
  foreign: number
  /** Connections that the targets accepted: the proxy's, if its keep-alive does not hold. */
  upstreamConnections: number
  /** Requests that reached the targets, per request of the client. */
  upstreamRequests: number
}

export async function startProxy(bench: Bench, contender: Contender): Promise<Started> {
  const [port = 0] = await freePorts(1)
  const directory = join(bench.processes.directory, contender.name)
  mkdirSync(directory)
  const setting = { directory, port, targets: bench.targets.ports, connections: bench.connections }
  const running = bench.processes.start(contender.name, proxyCore, contender.command(setting))
  try {
    await listening(running, port)
  } catch (error) {
    await bench.processes.stop(running)
    throw error
  }
  return { contender, running, url: `http://127.0.0.1:${port}` }
}

/** What makes a proxy's figures not comparable: a target left out, no X-Forwarded-For. */
export async function checkProxy(bench: Bench, { contender, url }: Started): Promise<string[]> {
  const seen = new Set<string>()
  let forwarded = true
  for (let i = 0; i < 4 * bench.targets.ports.length; i++) {
    const answer = await fetch(url + checkPath)
    const text = await answer.text()
    if (answer.status !== 200) {
      throw new Error(`${contender.name} answers ${answer.status} to ${checkPath}: ${text.slice(0, 300)}`)
    }
    const [port = '', address = ''] = text.split(' ')
    seen.add(port)
    forwarded &&= address === '127.0.0.1'
  }
  const faults: string[] = []
  const bytes = (await (await fetch(url + loadPath)).arrayBuffer()).byteLength
  if (bytes !== bench.body) faults.push(`${contender.name} answers with ${bytes} bytes, not ${bench.body}`)
  const count = bench.targets.ports.length
  if (seen.size < count) faults.push(`${contender.name} uses ${seen.size} of ${count} targets`)
  if (!forwarded) faults.push(`${contender.name} adds no X-Forwarded-For: it is spared that work`)
  return faults
}

/** Sends at least the contender's warm-up requests. */
export async function warmUp(bench: Bench, started: Started): Promise<number> {
  let requests = 0
  while (requests < started.contender.warmUp) {
    const { requests: more, badStatus } = await load(bench, started, 2)
    if (more - badStatus <= 0) throw new Error(`${started.contender.name} answers nothing while warming up`)
    requests += more - badStatus
  }
  return requests
}

/** One window, repeated if others disturb it and the bench has the patience. */
export function measure(bench: Bench, started: Started): Promise<Sample> {
  return bench.patience.undisturbed(cores, () => measureOnce(bench, started))
}

async function measureOnce(bench: Bench, started: Started): Promise<Sample> {
  // A second that does not count: it opens the connections and fills the caches that the others emptied.
  await load(bench, started, 1)
  const groups = { proxy: started.running.pid, targets: bench.targets.pid }
  const counts = await bench.targets.counts()
  const before = usage(cores, groups)
  const result = await load(bench, started, bench.seconds)
  const after = usage(cores, groups)
  const countsAfter = await bench.targets.counts()
  if (result.requests === 0) throw new Error(`${started.contender.name} answered nothing`)
  return {
    ...result,
    cpuPerRequest: (after.proxy - before.proxy) / result.requests,
    ownCore: (after.proxy - before.proxy) / (after.at - before.at),
    foreign: foreignShare(before, after),
    // each question for the counts is one connection and one request
    upstreamConnections: countsAfter.connections - counts.connections - 1,
    upstreamRequests: (countsAfter.requests - counts.requests - 1) / result.requests,
  }
}

async function load(bench: Bench, { contender, running, url }: Started, seconds: number): Promise<Load> {
  let gone: string | undefined
  const died = running.gone.then((reason) => {
    gone = reason
  })
  const run = runWrk(bench.processes, loadCore, {
    url: url + loadPath,
    seconds,
    connections: bench.connections,
  })
  const result = await Promise.race([run, died.then(() => undefined)])
  if (result !== undefined && gone === undefined) return result
  await run.catch(() => undefined)
  throw new Error(`${contender.name} ended under load (${gone})\n${running.stderr().slice(-2000)}`)
}
