import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { holdfastCommand } from '../proxy/holdfast.ts'
import { type Command, findProgram, listening, type Running } from '../proxy/processes.ts'
import type { Children } from './children.ts'
import { caddy, haproxy, haproxySafe, nginx, type Setting } from './configs.ts'

export interface Gateway {
  name: string
  command(setting: Setting): Command
  /** Why it cannot run here, or undefined. */
  missing(): string | undefined
}

export interface Started {
  name: string
  port: number
  /** Why it has ended, or undefined while it runs. */
  gone(): string | undefined
}

/** The order is that of the run and of the tables. */
export const gateways: readonly Gateway[] = [
  {
    name: 'holdfast',
    missing: () => undefined,
    command: ({ port, targets }) =>
      holdfastCommand(port, {
        AVAILABILITY_TARGETS: targets.join(','),
        GATEWAY_CONFIG: join(import.meta.dirname, 'holdfast.config.ts'),
      }),
  },
  packaged('nginx', nginx),
  packaged('haproxy', haproxy),
  { ...packaged('haproxy', haproxySafe), name: 'haproxy-safe' },
  packaged('caddy', caddy),
]

export async function startGateway(
  children: Children,
  gateway: Gateway,
  port: number,
  targets: readonly number[],
): Promise<Started> {
  const directory = join(children.directory, gateway.name)
  mkdirSync(directory)
  const running = children.startGateway(gateway.name, gateway.command({ directory, port, targets }))
  await listening(running, port)
  return { name: gateway.name, port, gone: watch(running) }
}

function watch(running: Running): () => string | undefined {
  let gone: string | undefined
  void running.gone.then((reason) => {
    gone = `${reason}\n${running.stderr().slice(-2000)}`.trim()
  })
  return () => gone
}

/** A server from Debian; its package is called as the program is. */
function packaged(name: string, command: Gateway['command']): Gateway {
  return {
    name,
    command,
    missing: () => (findProgram(name) ? undefined : `not installed; Debian package: ${name}`),
  }
}
