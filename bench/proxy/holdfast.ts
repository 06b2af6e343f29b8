import { join } from 'node:path'
import type { Command } from './processes.ts'

export const root = join(import.meta.dirname, '..', '..')

/** `npm start`, but for the log, which would be the benchmark's to read, and for the config. */
export function holdfastCommand(port: number, env: Record<string, string>): Command {
  return {
    file: process.execPath,
    args: [
      join(root, 'node_modules', '.bin', 'fastify'),
      ...['start', '-o', '-l', 'fatal', '-g', '5000', '-a', '127.0.0.1', '-p', String(port), 'app.ts'],
    ],
    cwd: root,
    env: { NODE_ENV: 'production', ...env },
  }
}
