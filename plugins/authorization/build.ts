/** From the config of a route to what decides on its requests. */
import type { RouteConfig } from '../config/define.ts'
import type { Problem } from '../config/errors.ts'
import type { Authorizer, AuthorizerContext, CreateAuthorizer } from './authorizer.ts'
import { DEMANDS, type Demands, judge } from './demands.ts'
import { forbidden, insufficientScope } from './errors.ts'
import { methodsOf, overridesOf } from './methods.ts'

export type AuthorizationConfig = NonNullable<RouteConfig['authorization']>
type Request = Parameters<Authorizer>[0]
type Rules = Demands & { readonly when?: string }

/** What building needs of the rest of the gateway. */
export interface Building {
  compileExpression(text: string, wanted: 'bool'): (request: Request) => unknown
  kinds: ReadonlyMap<string, CreateAuthorizer<never>>
  realm: string | undefined
}

/** Kinds of identities that come of a bearer token, and so know what to do about a scope that is missing. */
const BEARER: ReadonlySet<string> = new Set(['jwt', 'introspection'])

function byIdentity(demands: Demands, realm: string | undefined): Authorizer {
  return ({ identity }) => {
    if (identity === null) return false
    const finding = judge(demands, identity)
    if (finding === 'granted') return true
    if (finding === 'denied' || !BEARER.has(identity.kind)) return false
    return forbidden(insufficientScope(realm, finding))
  }
}

/** By the request's method, and by those that an upstream may take it for. */
function byExpression(text: string, holds: (request: Request) => unknown): Authorizer {
  if (!/\bmethod\b/.test(text)) return (request) => holds(request) === true
  return (request) => {
    if (holds(request) !== true) return false
    for (const method of overridesOf(request)) {
      if (holds(Object.create(request, { method: { value: method } })) !== true) return false
    }
    return true
  }
}

function byRules(rules: Rules, { compileExpression, realm }: Building): Authorizer[] {
  const authorizers: Authorizer[] = []
  if (DEMANDS.some((key) => rules[key] !== undefined)) authorizers.push(byIdentity(rules, realm))
  if (rules.when !== undefined) {
    authorizers.push(byExpression(rules.when, compileExpression(rules.when, 'bool')))
  }
  return authorizers
}

function byMethod(methods: Readonly<Record<string, Rules>>, building: Building): Authorizer {
  const rules = new Map(Object.entries(methods).map(([name, rule]) => [name, byRules(rule, building)]))
  return (request, reply) => {
    for (const method of methodsOf(request)) {
      for (const authorize of rules.get(method) ?? []) {
        const verdict = authorize(request, reply)
        if (verdict !== true) return verdict
      }
    }
    return true
  }
}

/**
 * What decides on the requests of a route, the cheapest first. Throws, naming the remedy, at what does not go together;
 * `external` is the caller's to make.
 */
export function buildAuthorizers(
  config: AuthorizationConfig,
  building: Building,
  context: AuthorizerContext,
): Authorizer[] {
  const { methods, custom = {} } = config
  const authorizers = byRules(config as Rules, building)
  if (methods !== undefined) authorizers.push(byMethod(methods as Readonly<Record<string, Rules>>, building))
  for (const [name, options] of Object.entries(custom)) {
    const create = building.kinds.get(name) as CreateAuthorizer<unknown> | undefined
    if (create === undefined) throw new Error(`no authorizer is called "${name}"`)
    authorizers.push(create(options, context))
  }
  return authorizers
}

/** Where expressions are wrong, and how. */
export function expressionProblems(
  { when, methods }: AuthorizationConfig,
  { compileExpression }: Building,
  at: (...steps: string[]) => string,
): Problem[] {
  const texts: [path: string, text: string | undefined][] = [
    [at('when'), when],
    ...Object.entries(methods ?? {}).map(([name, rules]): [string, string | undefined] => [
      at('methods', name, 'when'),
      rules.when,
    ]),
  ]
  return texts.flatMap(([path, text]) => {
    if (text === undefined) return []
    try {
      compileExpression(text, 'bool')
      return []
    } catch (error) {
      return [{ path, message: (error as Error).message }]
    }
  })
}
