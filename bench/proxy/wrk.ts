import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Processes } from './processes.ts'

export interface Load {
  requests: number
  perSecond: number
  p50Ms: number
  p99Ms: number
  /** Connections refused, reset or timed out. */
  socketErrors: number
  /** Answers that were not 2xx or 3xx. */
  badStatus: number
}

const script = `
done = function(summary, latency)
  local errors = summary.errors
  io.write(string.format('RESULT %d %d %d %d %d %d\\n', summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.timeout, errors.status))
end
`

/** Runs wrk, one thread, keep-alive, as fast as the answers come back. */
export async function runWrk(
  processes: Processes,
  core: number,
  load: { url: string; seconds: number; connections: number },
): Promise<Load> {
  const scriptFile = join(processes.directory, 'wrk.lua')
  writeFileSync(scriptFile, script)
  const args = ['-t1', `-c${load.connections}`, `-d${load.seconds}s`, '--latency', '-s', scriptFile, load.url]
  const wrk = processes.start('wrk', core, { file: 'wrk', args })
  const reason = await wrk.gone
  const result = /^RESULT (.+)$/m.exec(wrk.stdout())?.[1]?.split(' ').map(Number)
  if (reason !== 'exit code 0' || result === undefined) {
    throw new Error(`wrk failed (${reason})\n${wrk.stderr()}${wrk.stdout()}`)
  }
  const [requests = 0, microseconds = 1, p50 = 0, p99 = 0, socketErrors = 0, badStatus = 0] = result
  return {
    requests,
    perSecond: requests / (microseconds / 1e6),
    p50Ms: p50 / 1000,
    p99Ms: p99 / 1000,
    socketErrors,
    badStatus,
  }
}
