/** `npm run top`: a live view of a running gateway, for people on a shell. `--help` says the rest. */
import { messageOf } from '../plugins/config/messages.ts'
import { ask } from './top/ask.ts'
import { Live } from './top/live.ts'
import { chosen, type Look, PANES, rowsOf } from './top/look.ts'
import { adminAddress, type Options, readOptions, USAGE } from './top/options.ts'
import { painted } from './top/terminal.ts'
import { safe } from './top/text.ts'
import { report } from './top/view.ts'

const { stdin, stdout, stderr, env } = process

/** A shell's codes for a program that a signal ended. */
const SIGNALS = { SIGINT: 130, SIGHUP: 129, SIGTERM: 143 } as const

/** Whoever read what we print has gone, `head` say: that is no failure, and nobody is there to be told. */
function endWithReader(live?: Live): void {
  stdout.on('error', () => {
    live?.end()
    process.exit(0)
  })
}

function print(look: Look, address: string, { json, pane, sort, filter }: Options): void {
  const tables = (pane === undefined ? PANES : [pane]).map(
    (one) => [one, chosen(rowsOf(look, undefined, one), sort, filter)] as const,
  )
  if (json) {
    const { at, uptimeSeconds, gateway, total } = look.stats
    const plain = tables.map(([name, rows]) => [
      name,
      rows.map(({ name, upstream, window, upstreamStats, targetStats }) => ({
        name,
        ...(targetStats === undefined ? {} : { ...targetStats, upstream }),
        ...(upstreamStats === undefined ? {} : { ...upstreamStats, targets: undefined }),
        windows: undefined,
        window,
      })),
    ])
    const { windows, ...sums } = total
    const all = { ...sums, window: windows['1m'] }
    const whole = { address, at, uptimeSeconds, gateway, total: all, ...Object.fromEntries(plain) }
    stdout.write(`${JSON.stringify({ ...whole, alerts: look.alerts ?? null }, undefined, 2)}\n`)
    return
  }
  const colours = stdout.isTTY && stdout.hasColors() && !env['NO_COLOR']
  for (const line of report(look, address, tables)) stdout.write(`${painted(line, colours)}\n`)
}

function watch(address: string, { everyMs, pane, sort, filter }: Options): void {
  const live = new Live({
    address,
    everyMs,
    view: { sort, filter, ...(pane === undefined ? {} : { pane }) },
    colours: stdout.hasColors() && !env['NO_COLOR'],
    input: stdin.isTTY ? stdin : undefined,
    output: stdout,
    ask: (withTargets, stopped) => ask(new URL(address), withTargets, stopped),
    // All of the job, as the terminal would: npm and its shell too.
    suspend: () => process.kill(0, 'SIGTSTP'),
    quit: (code) => {
      live.end()
      process.exit(code)
    },
  })
  endWithReader(live)
  for (const [signal, code] of Object.entries(SIGNALS)) {
    process.on(signal, () => {
      live.end()
      process.exit(code)
    })
  }
  process.on('SIGCONT', () => live.resume())
  process.on('exit', () => live.end())
  process.on('uncaughtException', (error) => {
    // First the terminal: what is written on the alternate screen goes with it.
    live.end()
    console.error(error)
    process.exit(1)
  })
  live.start()
}

try {
  const options = readOptions(process.argv.slice(2))
  if (options.help) stdout.write(`${USAGE}\n`)
  else {
    const address = options.url ?? (await adminAddress())
    if (options.once || options.json || !stdout.isTTY) {
      endWithReader()
      const withTargets = options.pane === undefined || options.pane === 'targets'
      try {
        print(await ask(new URL(address), withTargets), address, options)
      } catch (error) {
        stderr.write(`${address} is not reachable: ${safe((error as Error).message)}\n`)
        process.exitCode = 1
      }
    } else watch(address, options)
  }
} catch (error) {
  stderr.write(`${messageOf(error)}\n`)
  process.exitCode = 2
}
