/** What the command line says, and where the gateway is. */
import { parseArgs } from 'node:util'
import { ConfigError } from '../../plugins/config/errors.ts'
import { loadGateway } from '../../plugins/config/load.ts'
import { parseDuration } from '../../plugins/config/units.ts'
import { PANES, type Pane, SORTS, type Sort } from './look.ts'

export const USAGE = `usage: npm run top -- [--url http://127.0.0.1:9901] [--every 1s] [--once | --json]
                      [--pane ${PANES.join('|')}] [--sort ${SORTS.join('|')}] [--filter <text>]

  --url     address of the admin listener; default: that of the config
  --every   how often the gateway is asked; default 1s
  --once    prints what there is now and ends; so it does where there is no terminal
  --json    the same as JSON
  --pane    what is shown first; with --once, what is printed (default: all three)
  --sort    the highest first; default rate
  --filter  only what has this text in its name or in that of its upstream`

/** Below that the gateway would do little else. */
const OFTENEST_MS = 200

export interface Options {
  readonly url: string | undefined
  readonly everyMs: number
  readonly once: boolean
  readonly json: boolean
  readonly help: boolean
  readonly pane: Pane | undefined
  readonly sort: Sort
  readonly filter: string
}

function oneOf<T extends string>(name: string, value: string | undefined, all: readonly T[]): T | undefined {
  if (value === undefined) return undefined
  const found = all.find((one) => one === value)
  if (found === undefined) throw new Error(`--${name} is "${value}"; take one of ${all.join(', ')}`)
  return found
}

/** Throws where it makes no sense of them. */
export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      url: { type: 'string' },
      every: { type: 'string', default: '1s' },
      once: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
      pane: { type: 'string' },
      sort: { type: 'string' },
      filter: { type: 'string', default: '' },
    },
  })
  const everyMs = parseDuration(values.every)
  if (everyMs === undefined || everyMs < OFTENEST_MS)
    throw new Error(`--every is "${values.every}"; write a duration from ${OFTENEST_MS}ms on, such as 2s`)
  if (values.url !== undefined && !(URL.canParse(values.url) && new URL(values.url).protocol === 'http:'))
    throw new Error(`--url is "${values.url}"; write an address such as http://127.0.0.1:9901`)
  const { url, once, json, help, filter } = values
  const pane = oneOf('pane', values.pane, PANES)
  const sort = oneOf('sort', values.sort, SORTS) ?? 'rate'
  return { url, everyMs, once, json, help, pane, sort, filter }
}

/** The admin listener of the config. Throws if there is none. */
export async function adminAddress(): Promise<string> {
  const { file, config, problems } = await loadGateway()
  if (problems.length > 0)
    throw new Error(`${new ConfigError(file, problems).message}\nor say where the gateway is with --url`)
  const { admin } = config
  if (admin === undefined)
    throw new Error(
      `${file} has no admin listener; add \`admin: { port: 9901 }\`, or say where it is with --url`,
    )
  const anywhere: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' }
  const host = anywhere[admin.host] ?? admin.host
  return `http://${host.includes(':') ? `[${host}]` : host}:${admin.port}`
}
