import Fastify, { type FastifyInstance } from 'fastify'
import app from '../app.ts'
import { readGateway } from '../plugins/config/load.ts'
import { messageOf } from '../plugins/config/messages.ts'
import { serverOptions } from '../plugins/config/server.ts'
import type { PolicyChoice } from './fleet.ts'
import type { Balancers } from './gateway.ts'

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

/** `p2c`, or `p2c:load=peak-ewma`, with more options behind further colons; values are JSON or text. */
export function readPolicy(written: string): PolicyChoice {
  const [policy, ...pairs] = written.split(/:(?![^{]*\})/) as [string, ...string[]]
  if (pairs.length === 0) return policy
  const options = pairs.map((pair) => {
    const [, name, value] = /^(\w+)=(.+)$/.exec(pair) ?? []
    if (name === undefined || value === undefined) {
      throw new Error(`"${written}": write options as ${policy}:name=value`)
    }
    try {
      return [name, JSON.parse(value)]
    } catch {
      return [name, value]
    }
  })
  return { ...Object.fromEntries(options), policy }
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
  const create = balancers.get(policy)
  if (create === undefined) {
    return `no balancer is named "${policy}"; there are ${[...balancers.keys()].join(', ')}`
  }
  try {
    create({ now: () => 0, random: () => 0 }, options as never)
    return undefined
  } catch (error) {
    return `${labelOf(choice)}: ${messageOf(error)}`
  }
}
