import type { GatewayConfig } from '../config/define.ts'
import type { Problem } from '../config/errors.ts'
import { messageOf, written } from '../config/messages.ts'
import type { Compile, Evaluate, KeyedRequest } from './keys.ts'
import type { Rule } from './rule.ts'

/** Expressions that are compiled once all plugins are there, whichever of them does it. */
export class Compilation {
  readonly #added: Parameters<Compile>[] = []
  #compiled: readonly Evaluate[] = []

  add(...what: Parameters<Compile>): Evaluate {
    const number = this.#added.push(what) - 1
    return (request: KeyedRequest) => this.#compiled[number]?.(request)
  }

  run(compile: Compile): void {
    this.#compiled = this.#added.map((what) => compile(...what))
  }
}

type Path = readonly (string | number)[]

function* rulesOf(config: GatewayConfig): Generator<readonly [Path, Rule]> {
  const under = function* (rules: readonly Rule[], ...path: Path): Generator<readonly [Path, Rule]> {
    for (const [i, rule] of rules.entries()) yield [[...path, i], rule]
  }
  const { limits, plans } = config.rateLimits
  yield* under(limits, 'rateLimits', 'limits')
  for (const [name, rules] of Object.entries(plans)) yield* under(rules, 'rateLimits', 'plans', name)
  for (const [name, { rateLimit = [] }] of Object.entries(config.upstreams))
    yield* under(rateLimit, 'upstreams', name, 'rateLimit')
  for (const [i, { rateLimit = [] }] of config.routes.entries())
    yield* under(rateLimit, 'routes', i, 'rateLimit')
}

/**
 * Expressions that cannot be compiled, or never have a value that serves.
 * @param compile undefined if nobody compiles them
 */
export function expressionProblems(config: GatewayConfig, compile: Compile | undefined): Problem[] {
  const problems: Problem[] = []
  for (const [path, rule] of rulesOf(config)) {
    for (const key of ['by', 'cost'] as const) {
      const value = rule[key]
      if (typeof value !== 'object') continue
      const at = written(...path, key, 'expression')
      if (compile === undefined) {
        const message = 'nothing here reads expressions; put `plugins/expressions` back, or take it out'
        problems.push({ path: at, message })
        continue
      }
      try {
        compile(value.expression, key === 'by' ? 'key' : 'number')
      } catch (error) {
        problems.push({ path: at, message: messageOf(error) })
      }
    }
  }
  return problems
}
