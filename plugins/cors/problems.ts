/** What a schema cannot say of `cors`. */
import type { GatewayConfig } from '../config/define.ts'
import type { Problem } from '../config/errors.ts'
import { written } from '../config/messages.ts'
import { regexProblems } from '../config/regex-safety.ts'
import { regexOf } from './origins.ts'
import type { CorsConfig } from './schema.ts'

export async function corsProblems({ cors, routes }: GatewayConfig): Promise<Problem[]> {
  const problems: Problem[] = []
  const regexes: { source: string; flags: string; whole: true; at: string }[] = []
  const look = (config: CorsConfig & { readonly enabled?: boolean }, ...steps: (string | number)[]): void => {
    const say = (message: string, ...more: string[]): void => {
      problems.push({ path: written(...steps, ...more), message })
    }
    const { origins, credentials, enabled } = config
    if (enabled === false) return
    if (origins === undefined) {
      say('is required: whose pages may read answers?', 'origins')
      return
    }
    if (origins.includes('*')) {
      if (credentials)
        say(
          "lets the pages of all sites act for whoever is logged in; name the origins instead of '*'",
          'credentials',
        )
      if (origins.length > 1) say("has '*' and others; '*' is all of them", 'origins')
    }
    if (credentials && origins.includes('null'))
      say(
        "takes 'null' with credentials, which any page can make its origin (a sandboxed frame); name origins",
        'origins',
      )
    for (const [index, pattern] of origins.entries()) {
      const regex = regexOf(pattern)
      if (regex !== undefined)
        regexes.push({ ...regex, whole: true, at: written(...steps, 'origins', index) })
    }
  }
  if (cors !== undefined) look(cors, 'cors')
  for (const [index, route] of routes.entries()) {
    if (route.cors !== undefined) look(route.cors, 'routes', index, 'cors')
  }
  const verdicts = await regexProblems(regexes)
  for (const [index, message] of verdicts.entries()) {
    if (message !== undefined) problems.push({ path: (regexes[index] as { at: string }).at, message })
  }
  return problems
}
