import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { caddy, haproxy, nginxProxy, type Setting } from './configs.ts'
import { holdfastCommand, root } from './holdfast.ts'
import { type Command, findProgram } from './processes.ts'

export interface Contender {
  name: string
  /** Requests before anything is measured; a JIT needs many. */
  warmUp: number
  command(setting: Setting): Command
  /** Why it cannot run here, or undefined. */
  missing?(): string | undefined
}

const jitWarmUp = 30_000
const shortWarmUp = 3000

/** The order is that of the first round and of the table. */
export const contenders: readonly Contender[] = [
  packaged('nginx', nginxProxy),
  packaged('haproxy', haproxy),
  packaged('caddy', caddy),
  app('undici-by-hand'),
  {
    name: 'holdfast',
    warmUp: jitWarmUp,
    missing: () => (existsSync(join(root, 'app.ts')) ? undefined : 'there is no app.ts yet'),
    command: ({ port, targets }) =>
      holdfastCommand(port, {
        BENCH_TARGETS: targets.join(','),
        GATEWAY_CONFIG: join(import.meta.dirname, 'gateway.bench.config.ts'),
      }),
  },
  app('reply-from'),
  app('http-proxy'),
]

/** A server from Debian; its package is called as the program is. */
function packaged(name: string, command: Contender['command']): Contender {
  return {
    name,
    warmUp: shortWarmUp,
    command,
    missing: () => (findProgram(name) ? undefined : `not installed; Debian package: ${name}`),
  }
}

/** A Node program of `bench/proxy/apps/`. */
function app(name: string): Contender {
  return {
    name,
    warmUp: jitWarmUp,
    command: ({ port, targets }) => ({
      file: process.execPath,
      args: [join(import.meta.dirname, 'apps', `${name}.ts`)],
      cwd: root,
      env: { NODE_ENV: 'production', BENCH_PORT: String(port), BENCH_TARGETS: targets.join(',') },
    }),
  }
}
