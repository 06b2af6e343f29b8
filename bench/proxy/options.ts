import { parseArgs } from 'node:util'

export interface Options {
  rounds: number
  seconds: number
  connections: number
  /** Bytes of the targets' JSON answer. */
  body: number
  /** Seconds, over the whole run, to wait for a quiet machine and to repeat disturbed windows. */
  patience: number
  /** Names to run, or undefined for all. */
  only: string[] | undefined
  /** A file for every figure of every round. */
  json: string | undefined
}

export const usage = `node bench/proxy.ts [--rounds 5] [--seconds 4] [--connections 32] [--body 512]
                    [--patience 120] [--only nginx,holdfast,...] [--json file]`

/** Throws with a message for the user when an option makes no sense. */
export function readOptions(args: string[], known: readonly string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '4' },
      connections: { type: 'string', default: '32' },
      body: { type: 'string', default: '512' },
      patience: { type: 'string', default: '120' },
      only: { type: 'string' },
      json: { type: 'string' },
    },
  })
  const only = values.only?.split(',').map((name) => name.trim())
  for (const name of only ?? []) {
    if (!known.includes(name)) throw new Error(`--only: "${name}" is none of ${known.join(', ')}`)
  }
  return {
    rounds: whole('rounds', values.rounds, 1),
    seconds: whole('seconds', values.seconds, 1),
    connections: whole('connections', values.connections, 1),
    body: whole('body', values.body, 2),
    patience: whole('patience', values.patience, 0),
    only,
    json: values.json,
  }
}

function whole(name: string, text: string, least: number): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < least) {
    throw new Error(`--${name}: expected a whole number of at least ${least}, got "${text}"`)
  }
  return value
}
