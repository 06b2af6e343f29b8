/** What a schema cannot say of the routes' `authorization`: what does not go together, and what would do nothing. */
import type { RouteConfig } from '../config/define.ts'
import type { Problem } from '../config/errors.ts'
import { asksWho } from '../config/expression-text.ts'
import { written } from '../config/messages.ts'
import { DEMANDS } from './demands.ts'
import { externalProblems } from './external/problems.ts'

type Config = NonNullable<RouteConfig['authorization']>
type Rules = NonNullable<Config['methods']>[string]
type Say = (message: string, ...steps: (string | number)[]) => void

const ADD_AUTH =
  "needs to know who calls, but the route asks nobody: give it `auth`, such as `auth: 'jwt'`, or take this out"

function ruleProblems(rules: Rules, known: boolean, say: Say, steps: readonly (string | number)[]): void {
  for (const key of DEMANDS) if (rules[key] !== undefined && !known) say(ADD_AUTH, ...steps, key)
  if (rules.when !== undefined && !known && asksWho(rules.when)) say(ADD_AUTH, ...steps, 'when')
  for (const [name, demand] of Object.entries(rules.claims ?? {})) {
    if (Object.keys(demand).length === 0)
      say('demands nothing; write `equals`, `contains`, `any` or `all`', ...steps, 'claims', name)
  }
}

function empty(rules: object): boolean {
  return Object.values(rules).every((rule) => rule === undefined)
}

const NOTHING = 'demands nothing, so everybody would pass; write what it demands or take it out'

function routeProblems(route: RouteConfig, say: Say): void {
  const config = route.authorization as Config
  const known = (route as { readonly auth?: unknown }).auth !== undefined
  const { methods, ...rest } = config
  if (empty(rest) && (methods === undefined || Object.keys(methods).length === 0)) say(NOTHING)
  if (rest.claims !== undefined && Object.keys(rest.claims).length === 0) say(NOTHING, 'claims')
  ruleProblems(rest, known, say, [])
  for (const [method, rules] of Object.entries(methods ?? {})) {
    if (empty(rules) || (rules.claims !== undefined && Object.keys(rules.claims).length === 0))
      say(NOTHING, 'methods', method)
    ruleProblems(rules, known, say, ['methods', method])
    const taken = route.methods ?? [method]
    if (!taken.includes(method) && !(method === 'HEAD' && taken.includes('GET')))
      say(
        `the route takes no ${method}, so this does nothing; add it to \`methods\` of the route`,
        'methods',
        method,
      )
  }
}

export function authorizationProblems(routes: readonly RouteConfig[]): Problem[] {
  return routes.flatMap((route, index) => {
    if (route.authorization === undefined) return []
    const problems: Problem[] = []
    const say: Say = (message, ...steps) => {
      problems.push({ path: written('routes', index, 'authorization', ...steps), message })
    }
    routeProblems(route, say)
    const { external } = route.authorization
    if (external !== undefined) externalProblems(external, (message, key) => say(message, 'external', key))
    return problems
  })
}
