import type { Problem } from './errors.ts'

/** A port that the config, or the command that starts the gateway, wants to listen on. */
export interface PortUse {
  /** Where the config says so: `listeners[0].port`. '' for the main port, which no config says. */
  readonly path: string
  /** As messages call it: `listeners[0]`. */
  readonly name: string
  readonly port: number
  /** Address or name, as `listen` takes it. */
  readonly host: string
}

/** Names of the loopback in both versions. */
const LOOPBACK = new Set(['127.0.0.1', '::1'])

/** Whether one process can listen on `a` and `b` at the same port. A name other than localhost may be anything. */
function overlap(a: string, b: string): boolean {
  if (a === b || a === '::' || b === '::') return true
  if (a === 'localhost') return b === '0.0.0.0' || LOOPBACK.has(b)
  if (b === 'localhost') return a === '0.0.0.0' || LOOPBACK.has(a)
  // Version 4 only: an address of version 6 may be had beside it.
  return (a === '0.0.0.0' && !b.includes(':')) || (b === '0.0.0.0' && !a.includes(':'))
}

/** Every pair that wants the same port, told at the later of the two. */
export function portClashes(uses: readonly PortUse[]): Problem[] {
  const problems: Problem[] = []
  for (const [index, use] of uses.entries()) {
    const other = uses.slice(0, index).find((one) => one.port === use.port && overlap(one.host, use.host))
    if (other === undefined) continue
    const message = `${other.name} is on port ${use.port} already; give ${other.path === '' ? 'one of them' : 'it'} another port`
    problems.push({ path: use.path, message })
  }
  return problems
}

/** How messages call the main port, which no key of the config says. */
export const MAIN_PORT = 'the main port (-p, FASTIFY_PORT or PORT)'

/** Whether `script`, the file that the process runs, is `fastify start`. */
export function isFastifyCli(script: string | undefined): boolean {
  return /(?:^|[/\\])fastify(?:-cli[/\\]|$)/.test(script ?? '')
}

type Environment = Readonly<Record<string, string | undefined>>

const portVariable = (env: Environment): string => (env['FASTIFY_PORT'] ? 'FASTIFY_PORT' : 'PORT')

/** What fastify-cli would hand on for a port all the same. */
export function mainPortProblems(env: Environment): Problem[] {
  const name = portVariable(env)
  const value = env[name] || '0'
  if (/^\d{1,5}$/.test(value) && Number(value) < 65_536) return []
  const message = `the variable ${name} is no port, but ${JSON.stringify(value)}; give it a number up to 65535, or none`
  return [{ path: '', message }]
}

/**
 * The main port as the environment says it, for those who check a config without starting it. Undefined where it says
 * nothing, and under `fastify start`: there a flag may say otherwise, and what `listen` is told is looked at.
 */
export function mainPort(script: string | undefined, env: Environment): PortUse | undefined {
  const port = Number(env[portVariable(env)])
  if (isFastifyCli(script) || !Number.isInteger(port) || port <= 0) return undefined
  // As `npm start` has it.
  return { path: '', name: MAIN_PORT, port, host: env['FASTIFY_ADDRESS'] || '0.0.0.0' }
}
