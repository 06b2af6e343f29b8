import { parseArgs } from 'node:util'

export interface Options {
  /** How long the load runs, quiet phases included and start and end not (min). */
  minutes: number
  /** Requests per second. */
  rate: number
  /** Of the requests and of the faults. */
  seed: number
  /** A file for every sample, every failed request of note and the verdicts. */
  json: string | undefined
  /** A directory for heap snapshots of the gateway, taken in each quiet phase. */
  snapshots: string | undefined
}

export const usage =
  'node bench/soak.ts [--minutes 10] [--rate 400] [--seed 1] [--json file] [--snapshots directory]'

/** Throws with a message for the user when an option makes no sense. */
export function readOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      minutes: { type: 'string', default: '10' },
      rate: { type: 'string', default: '400' },
      seed: { type: 'string', default: '1' },
      json: { type: 'string' },
      snapshots: { type: 'string' },
    },
  })
  const seed = number('seed', values.seed, 0)
  if (!Number.isSafeInteger(seed)) throw new Error(`--seed: expected a whole number, got "${values.seed}"`)
  return {
    minutes: number('minutes', values.minutes, 1),
    rate: number('rate', values.rate, 1),
    seed,
    json: values.json,
    snapshots: values.snapshots,
  }
}

function number(name: string, text: string, least: number): number {
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value) || value < least) {
    throw new Error(`--${name}: expected a number of at least ${least}, got "${text}"`)
  }
  return value
}
