/** From the config of a route to what decides on its requests. */
import type { RouteConfig } from '../config/define.ts'
import type { Problem } from '../config/errors.ts'
import type { Schema } from '../config/typed.ts'
import { read } from '../config/validate.ts'
import { type Authorizer, type AuthorizerContext, type CreateAuthorizer, Denied } from './authorizer.ts'
import { DEMANDS, type Demands, judge } from './demands.ts'
import { forbidden, insufficientScope } from './errors.ts'
import type { NamedAuthorizer } from './guard.ts'
import { methodsOf } from './methods.ts'

export type AuthorizationConfig = NonNullable<RouteConfig['authorization']>
type Request = Parameters<Authorizer>[0]
type Rules = Demands & { readonly when?: string }

/** A kind that a plugin has defined. */
export interface DefinedAuthorizer {
  readonly create: CreateAuthorizer<never>
  readonly schema: Schema<unknown>
}

/** What building needs of the rest of the gateway. */
export interface Building {
  compileExpression(text: string, wanted: 'bool'): (request: Request) => unknown
  kinds: ReadonlyMap<string, DefinedAuthorizer>
  realm: string | undefined
}

/** Kinds of identities that come of a bearer token, and so know what to do about a scope that is missing. */
const BEARER: ReadonlySet<string> = new Set(['jwt', 'introspection'])

function byIdentity(demands: Demands, realm: string | undefined, at: string): Authorizer {
  return ({ identity }) => {
    if (identity === null) return new Denied(`${at}nobody knows who calls`)
    const finding = judge(demands, identity)
    if (finding === 'granted') return true
    const why = `${at}${finding.why}`
    if (finding.scopes === undefined || !BEARER.has(identity.kind)) return new Denied(why)
    return forbidden(insufficientScope(realm, finding.scopes), { message: why })
  }
}

/** By the request's method, and by those that an upstream may take it for. */
function byExpression(text: string, holds: (request: Request) => unknown, at: string): Authorizer {
  const asksMethod = /\bmethod\b/.test(text)
  return (request) => {
    if (holds(request) !== true) return new Denied(`${at}when: is not true`)
    if (!asksMethod) return true
    for (const method of methodsOf(request)) {
      if (method === request.method) continue
      if (holds(Object.create(request, { method: { value: method } })) !== true)
        return new Denied(`${at}when: is not true for ${method}, by which it is judged too`)
    }
    return true
  }
}

/** @param at what the log puts before the demand that is not met */
function byRules(rules: Rules, { compileExpression, realm }: Building, at = ''): Authorizer[] {
  const authorizers: Authorizer[] = []
  if (DEMANDS.some((key) => rules[key] !== undefined)) authorizers.push(byIdentity(rules, realm, at))
  if (rules.when !== undefined) {
    authorizers.push(byExpression(rules.when, compileExpression(rules.when, 'bool'), at))
  }
  return authorizers
}

function byMethod(methods: Readonly<Record<string, Rules>>, building: Building): Authorizer {
  const rules = new Map(
    Object.entries(methods).map(([name, rule]) => [name, byRules(rule, building, `methods.${name}: `)]),
  )
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
): NamedAuthorizer[] {
  const { methods, custom = {} } = config
  const own = byRules(config as Rules, building)
  if (methods !== undefined) own.push(byMethod(methods as Readonly<Record<string, Rules>>, building))
  const authorizers = own.map((authorize) => ({ name: 'rules', authorize }))
  for (const [name, options] of Object.entries(custom)) {
    const kind = building.kinds.get(name)
    if (kind === undefined) throw new Error(`no authorizer is called "${name}"`)
    const authorize = kind.create(read(kind.schema, options) as never, context)
    authorizers.push({ name: `custom.${name}`, authorize })
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
