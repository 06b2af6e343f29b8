import { join } from 'node:path'
import type { Children } from '../availability/children.ts'
import { listening, type Running } from '../proxy/processes.ts'
import { AdminClient } from './admin-client.ts'
import { Inspector } from './inspector.ts'
import { Output } from './output.ts'

const root = join(import.meta.dirname, '..', '..')
/** For the drain window, and the longest answer that is under way when it begins (ms). */
export const graceMs = 20_000

export interface SoakPorts {
  gateway: number
  admin: number
  inspector: number
}

export interface SoakGateway {
  readonly port: number
  readonly running: Running
  readonly output: Output
  readonly admin: AdminClient
  readonly inspector: Inspector
  /** Why it has ended, or undefined while it runs. */
  gone(): string | undefined
}

/** As `npm start` does, with the access log on, and an inspector besides. */
export async function startSoakGateway(
  children: Children,
  ports: SoakPorts,
  targets: readonly number[],
): Promise<SoakGateway> {
  const output = new Output()
  const command = {
    file: process.execPath,
    args: [
      `--inspect=127.0.0.1:${ports.inspector}`,
      '--trace-warnings',
      join(root, 'node_modules', '.bin', 'fastify'),
      ...['start', '-o', '-l', 'info', '-g', String(graceMs), '-a', '127.0.0.1', '-p', String(ports.gateway)],
      'app.ts',
    ],
    cwd: root,
    env: {
      NODE_ENV: 'production',
      SOAK_TARGETS: targets.join(','),
      SOAK_ADMIN: String(ports.admin),
      GATEWAY_CONFIG: join(import.meta.dirname, 'soak.config.ts'),
    },
  }
  const running = children.startGateway('holdfast', command, output.hear)
  let gone: string | undefined
  void running.gone.then((reason) => {
    gone = reason
  })
  await listening(running, ports.gateway)
  const admin = new AdminClient(ports.admin)
  const inspector = await Inspector.connect(ports.inspector)
  return { port: ports.gateway, running, output, admin, inspector, gone: () => gone }
}
