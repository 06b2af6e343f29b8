import Fastify, { type FastifyInstance } from 'fastify'
import app from '../app.ts'
import { readGateway } from '../plugins/config/load.ts'
import { isObject } from '../plugins/config/plain.ts'
import { serverOptions } from '../plugins/config/server.ts'
import type { PolicyChoice } from './fleet.ts'
import type { Balancers } from './gateway.ts'
import { splitOutsideJson } from './split.ts'

/**
 * All balancers that a gateway of this folder has, those of the user's own plugins included: its plugins are loaded
 * as `fastify start` does it, with a config that is empty, and nothing is started.
 */
export async function definedBalancers(): Promise<Balancers> {
  const gateway = await readGateway({ upstreams: {}, routes: [] }, 'simulate')
  const options = { ...serverOptions(gateway.config), logger: false } as object
  const fastify = Fastify(options) as unknown as FastifyInstance
  await fastify.register(app, { gateway })
  const { balancers } = fastify.upstreams
  await fastify.close()
  return balancers
}

/**
 * `p2c`, or `p2c:load=peak-ewma`, with more options behind further colons or, as tables have it, spaces; those within
 * others as `maglev:bounded.eps=1`; values are JSON or text.
 */
export function readPolicy(said: string): PolicyChoice {
  const [policy = '', ...pairs] = splitOutsideJson(said, ': ')
  if (pairs.length === 0) return policy
  const options: Options = {}
  for (const pair of pairs) {
    const [, path, value] = /^(\w+(?:\.\w+)*)=(.+)$/.exec(pair) ?? []
    if (path === undefined || value === undefined)
      throw new Error(`"${said}": write options as ${policy}:name=value, or ${policy}:name.inner=value`)
    set(options, path.split('.'), jsonOrText(value), said)
  }
  return { ...options, policy }
}

interface Options {
  [name: string]: unknown
}

function set(options: Options, [name = '', ...rest]: readonly string[], value: unknown, said: string): void {
  const before = Object.hasOwn(options, name) ? options[name] : undefined
  if (before !== undefined && (rest.length === 0 || !isObject(before)))
    throw new Error(`"${said}": "${name}" is said twice; say it once`)
  const inner: Options = isObject(before) ? before : {}
  if (rest.length > 0) set(inner, rest, value, said)
  options[name] = rest.length > 0 ? inner : value
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** How tables and plots call it: `p2c load=ewma`, `prequal probe`, `maglev bounded.eps=1`. */
export function labelOf(choice: PolicyChoice): string {
  if (typeof choice === 'string') return choice
  const { policy, ...options } = choice
  const pairs = Object.entries(options).map(([name, value]) => {
    if (typeof value !== 'object' || value === null) return `${name}=${value}`
    // Paths and the like are no matter for a legend.
    const figures = Object.entries(value).filter(([, one]) => typeof one !== 'string')
    return [name, ...figures.map(([key, one]) => `${key}=${one}`)].join('.')
  })
  return [policy, ...pairs].join(' ')
}

/** Why this choice cannot be simulated, or undefined. */
export function problemOf(choice: PolicyChoice, balancers: Balancers): string | undefined {
  const { policy, ...options } = typeof choice === 'string' ? { policy: choice } : choice
  const balancer = balancers.get(policy)
  if (balancer === undefined) {
    return `no balancer is named "${policy}"; there are ${[...balancers.keys()].join(', ')}`
  }
  const problems = balancer.problems(options)
  if (problems.length === 0) return undefined
  const texts = problems.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`))
  return `${labelOf(choice)}: ${texts.join('; ')}`
}
