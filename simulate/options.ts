import { existsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { splitOutsideJson } from './split.ts'

export const usage = `Usage: npm run simulate -- [options]

  --scenario <name|file>  a file of simulate/scenarios, or a .ts or .json file of yours   default: even
  --policies <list>       with options as p2c:load=ewma or maglev:bounded.eps=1   default: the scenario's, or all
  --requests <n>          default: the scenario's
  --seed <n>              default: 1
  --load <share>          instead of the scenario's
  --plot <file.svg>       draws the tail of the latencies
  --json <file>           writes the figures
  --list                  names the scenarios and the balancers
  --docs                  makes the plots and tables of docs/load-balancing.md again
  --theory                holds the simulator against queueing theory, with large samples
  --help                  says this

For example: npm run simulate -- --scenario antagonists --policies random,prequal:probe.path=/load --requests 200000
A fleet of your own: docs/load-balancing.md, "Your own fleet".
`

export interface Options {
  readonly scenario: string
  readonly policies: readonly string[] | undefined
  readonly requests: number | undefined
  readonly seed: number
  readonly load: number | undefined
  readonly plot: string | undefined
  readonly json: string | undefined
  readonly task: 'run' | 'list' | 'docs' | 'theory' | 'help'
}

/** What each task looks at; the others, at all. */
const HEEDED: Readonly<Record<string, readonly string[]>> = { list: [], docs: [], theory: ['seed'] }

const RULES: Readonly<Record<string, string>> = {
  '--requests': 'a whole number from 1000 to 100000000',
  '--load': 'above 0 and at most 100',
  '--seed': 'a whole number from 0 to 4294967295',
}

/** @throws Error that says what is wrong with the command line */
export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      scenario: { type: 'string' },
      policies: { type: 'string' },
      requests: { type: 'string' },
      seed: { type: 'string' },
      load: { type: 'string' },
      plot: { type: 'string' },
      json: { type: 'string' },
      list: { type: 'boolean' },
      docs: { type: 'boolean' },
      theory: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  })
  const tasks = (['help', 'list', 'docs', 'theory'] as const).filter((task) => values[task])
  if (tasks.length > 1) throw new Error(`--${tasks[0]} and --${tasks[1]} are two runs; take one`)
  const [task = 'run'] = tasks
  const others = Object.keys(values).filter((name) => !(tasks as string[]).includes(name))
  const idle = others.find((name) => !(HEEDED[task] ?? others).includes(name))
  if (idle !== undefined) throw new Error(`--${task} does not look at --${idle}; leave it out`)
  for (const flag of ['plot', 'json'] as const) checkFolder(flag, values[flag])
  return {
    scenario: values.scenario ?? 'even',
    policies: values.policies === undefined ? undefined : splitOutsideJson(values.policies, ','),
    requests: number('--requests', values.requests, (n) => Number.isInteger(n) && n >= 1000 && n <= 1e8),
    seed: number('--seed', values.seed ?? '1', (n) => Number.isInteger(n) && n >= 0 && n < 2 ** 32) as number,
    load: number('--load', values.load, (n) => n > 0 && n <= 100),
    plot: values.plot,
    json: values.json,
    task,
  }
}

function number(flag: string, text: string | undefined, fits: (n: number) => boolean): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  if (text.trim() !== '' && fits(value)) return value
  throw new Error(`${flag} ${text}: has to be ${RULES[flag]}`)
}

/** Before the run, which may take long, and not after it. */
function checkFolder(flag: string, file: string | undefined): void {
  if (file === undefined) return
  const folder = dirname(resolve(file))
  if (!existsSync(folder)) throw new Error(`--${flag} ${file}: there is no folder "${folder}"; make it first`)
}
