/** What is asked of the admin listener. */
import http from 'node:http'
import type { Stats } from '../../plugins/metrics/stats.ts'
import type { Alert, Look } from './look.ts'

/** Milliseconds until a gateway that says nothing counts as not reachable. */
const PATIENCE_MS = 5000
/** No gateway says so much. */
const LONGEST_ANSWER = 256 * 1024 * 1024

interface Answer {
  readonly status: number
  readonly body: string
}

/** Not packed: on a loopback that would only cost the gateway time. */
function get(url: URL, signal: AbortSignal): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.get(url, { signal, agent: false }, (response) => {
      const chunks: Buffer[] = []
      let size = 0
      response.on('error', reject)
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk)
        size += chunk.length
        if (size > LONGEST_ANSWER) response.destroy(new Error('the answer has no end'))
      })
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') }),
      )
    })
    request.on('error', reject)
  })
}

function parsed<T>(path: string, { body }: Answer): T {
  try {
    return JSON.parse(body) as T
  } catch {
    throw new Error(`what answers ${path} there is no gateway of this kind`)
  }
}

/**
 * Asks once. Throws with a reason that people understand.
 * @param base address of the admin listener
 * @param withTargets whether targets are wanted: there may be many
 */
export async function ask(base: URL, withTargets: boolean, stopped?: AbortSignal): Promise<Look> {
  const patience = AbortSignal.timeout(PATIENCE_MS)
  const signal = stopped === undefined ? patience : AbortSignal.any([patience, stopped])
  try {
    const [stats, alerts] = await Promise.all([
      get(new URL(withTargets ? '/stats' : '/stats?targets=false', base), signal),
      get(new URL('/alerts', base), signal),
    ])
    if (stats.status !== 200)
      throw new Error(
        stats.status === 404
          ? 'there is no /stats: is this the admin listener, and is plugins/metrics there?'
          : `/stats answers ${stats.status}`,
      )
    return {
      stats: parsed<Stats>('/stats', stats),
      alerts: alerts.status === 200 ? parsed<{ alerts: Alert[] }>('/alerts', alerts).alerts : undefined,
      at: performance.now(),
      withTargets,
    }
  } catch (error) {
    if (patience.aborted) throw new Error(`no answer within ${PATIENCE_MS / 1000} s`)
    throw new Error(why(error))
  }
}

function why(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'ECONNREFUSED') return 'connection refused'
  if (code === 'ECONNRESET') return 'connection reset'
  return message || String(code ?? error)
}
