import { parseArgs } from 'node:util'

export interface Options {
  /** Requests per second. */
  rate: number
  /** How long a fault lasts (s). */
  seconds: number
  /** How long each gateway is measured with nothing broken (s). */
  calm: number
  seed: number
  /** The longest that a target takes to answer (ms); the shortest is a sixth of it. */
  latency: number
  /** Names of gateways, or undefined for all. */
  only: string[] | undefined
  /** Names of faults, or undefined for all. */
  faults: string[] | undefined
  /** A file for every figure and every failed request. */
  json: string | undefined
}

export const usage = `node bench/availability.ts [--rate 150] [--seconds 8] [--calm 10] [--seed 1] [--latency 0]
                           [--only holdfast,nginx,...] [--faults killed,frozen,...] [--json file]`

/** Throws with a message for the user when an option makes no sense. */
export function readOptions(
  args: string[],
  known: { gateways: readonly string[]; faults: readonly string[] },
): Options {
  const { values } = parseArgs({
    args,
    options: {
      rate: { type: 'string', default: '150' },
      seconds: { type: 'string', default: '8' },
      calm: { type: 'string', default: '10' },
      seed: { type: 'string', default: '1' },
      latency: { type: 'string', default: '0' },
      only: { type: 'string' },
      faults: { type: 'string' },
      json: { type: 'string' },
    },
  })
  return {
    rate: whole('rate', values.rate, 1),
    seconds: whole('seconds', values.seconds, 1),
    calm: whole('calm', values.calm, 1),
    seed: whole('seed', values.seed, 0),
    latency: whole('latency', values.latency, 0),
    only: names('only', values.only, known.gateways),
    faults: names('faults', values.faults, known.faults),
    json: values.json,
  }
}

function names(option: string, text: string | undefined, known: readonly string[]): string[] | undefined {
  const chosen = text?.split(',').map((name) => name.trim())
  for (const name of chosen ?? []) {
    if (!known.includes(name)) throw new Error(`--${option}: "${name}" is none of ${known.join(', ')}`)
  }
  return chosen
}

function whole(name: string, text: string, least: number): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < least) {
    throw new Error(`--${name}: expected a whole number of at least ${least}, got "${text}"`)
  }
  return value
}
