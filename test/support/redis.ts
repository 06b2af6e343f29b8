import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { freePort } from './ports.ts'

export interface TestRedis {
  readonly port: number
  readonly url: string
  /** At once and without a goodbye. What it held is lost. */
  kill(): Promise<void>
  /** Connections are taken and nothing is answered, until `thaw`. */
  freeze(): void
  thaw(): void
  /** On the same port, after `kill`. */
  start(): Promise<void>
}

/** A real redis-server in a folder of its own, gone when the test ends. */
export async function startRedis(
  t: Pick<TestContext, 'after'>,
  flags: readonly string[] = [],
): Promise<TestRedis> {
  const port = await freePort()
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-redis-'))
  let child: ChildProcess | undefined
  const kill = async (): Promise<void> => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }
  const start = async (): Promise<void> => {
    const options = ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--dir', folder, ...flags]
    const redis = spawn('redis-server', options, { stdio: ['ignore', 'pipe', 'pipe'] })
    child = redis
    let output = ''
    await new Promise<void>((resolve, reject) => {
      redis.stdout.on('data', (chunk) => {
        output += chunk
        if (output.includes('eady to accept connections')) resolve()
      })
      redis.once('error', reject)
      redis.once('exit', () => reject(new Error(`redis-server ended: ${output}`)))
    })
  }
  t.after(async () => {
    await kill()
    await rm(folder, { recursive: true, force: true })
  })
  await start()
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    kill,
    start,
    freeze: () => child?.kill('SIGSTOP'),
    thaw: () => child?.kill('SIGCONT'),
  }
}
