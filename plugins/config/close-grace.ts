import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'

/** What fastify-cli takes when nobody says anything, in milliseconds. */
const UNTOLD_MS = 500
/** For requests that are under way when the drain window is over, at the least, in milliseconds. */
const LEAST_MS = 1000
/** As much as `npm start` has beyond a drain window of 5 s, in milliseconds. */
const USUAL_MS = 35_000

/** How this process was started; undefined where the system does not tell. fastify-cli empties `process.argv`. */
export function commandLine(): readonly string[] | undefined {
  try {
    return readFileSync('/proc/self/cmdline', 'utf8').split('\0')
  } catch {
    return undefined
  }
}

/** How long fastify-cli lets a stop take before it ends the process, in milliseconds. */
export function closeGrace(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): number {
  const flag = { type: 'string', short: 'g' } as const
  const { values } = parseArgs({ args: [...args], options: { 'close-grace-delay': flag }, strict: false })
  return Number(values['close-grace-delay'] ?? env['FASTIFY_CLOSE_GRACE_DELAY'] ?? UNTOLD_MS)
}

/** What is to be said of a `grace` that cuts the drain window short; undefined where it does not. Milliseconds. */
export function graceProblem(grace: number, drain: number): string | undefined {
  if (grace >= drain + LEAST_MS) return undefined
  return (
    `a stop ends the process after ${grace} ms, and with it requests that are under way: the drain window alone ` +
    `(server.drain) is ${drain} ms; start it with -g ${drain + USUAL_MS} (--close-grace-delay), or with npm start`
  )
}
