import { messageOf } from '../../plugins/config/messages.ts'
import { Children } from './children.ts'

/** Exit code after Ctrl-C. */
const interrupted = 130

/**
 * Runs a command that starts gateways and targets: none of them outlives it, whichever way it ends.
 * @param read the options; what it throws is told along with `usage`, and nothing is started
 * @returns what `run` returns, or undefined if it failed, which has been told
 */
export async function withChildren<O, R>(
  usage: string,
  read: () => O,
  run: (options: O, children: Children) => Promise<R>,
): Promise<R | undefined> {
  if (process.argv.includes('--help')) {
    console.log(usage)
    process.exit(0)
  }
  let options: O
  try {
    options = read()
  } catch (error) {
    console.error(`${messageOf(error)}\n${usage}`)
    process.exit(1)
  }
  const children = new Children()
  process.on('exit', () => children.killAll())
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    // Everything dies at once: nothing of it is worth a grace.
    process.on(signal, () => process.exit(interrupted))
  }
  try {
    return await run(options, children)
  } catch (error) {
    console.error(messageOf(error))
    process.exitCode = 1
    return undefined
  } finally {
    await children.stopAll()
  }
}
