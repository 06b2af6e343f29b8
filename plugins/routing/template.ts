/** Texts with placeholders for what a route's path captured: rewrites and redirect targets. */
import { parsePattern } from './pattern.ts'
import type { Params } from './route-match.ts'

/** Texts and parameter names in turn: `literals[0] names[0] literals[1] ... literals[n]`. */
export interface Template {
  readonly literals: readonly string[]
  readonly names: readonly string[]
}

// A name starts with a letter or "_", so neither "://" nor ":8080" is taken for one.
const PLACEHOLDER = /:([A-Za-z_][A-Za-z0-9_]*)|(\*)|\$(\d+)|\$<([^>]*)>/g

/**
 * Placeholders: `:name`, `*` (the rest), `$1` and `$<name>` (a regex's groups; `$<name>` takes any
 * parameter). Throws an Error if the path has no such parameter; it lists those that there are.
 */
export function parseTemplate(template: string, path: string | RegExp): Template {
  const known = parsePattern(path).params
  const literals: string[] = []
  const names: string[] = []
  let copied = 0
  for (const found of template.matchAll(PLACEHOLDER)) {
    const name = found[1] ?? found[2] ?? found[3] ?? (found[4] as string)
    if (!known.includes(name)) {
      const have =
        known.length === 0 ? 'has no parameters' : `has only ${known.map((one) => `"${one}"`).join(', ')}`
      throw new Error(`"${template}" uses "${found[0]}", but the path ${String(path)} ${have}`)
    }
    literals.push(template.slice(copied, found.index))
    names.push(name)
    copied = found.index + found[0].length
  }
  literals.push(template.slice(copied))
  return { literals, names }
}

/** The text with its placeholders filled in, as the parameters are: in canonical encoded form. */
export function render({ literals, names }: Template, params: Params): string {
  let text = literals[0] as string
  for (let i = 0; i < names.length; i++) text += (params[names[i] as string] ?? '') + literals[i + 1]
  return text
}

/**
 * A redirect target: `https://other.example/:id?from=gw`, or a path of this host, `/new/*`.
 *
 * Throws an Error when a placeholder stands in the scheme or the authority, since whoever sends the
 * request would choose where the client goes; and when the template is neither `http(s)://` nor a path.
 */
export function compileTemplate(template: string, path: string | RegExp): (params: Params) => string {
  if (!/^[!-~]*$/.test(template))
    throw new Error(`"${template}" must be ASCII without spaces; percent-encode the rest`)
  const parsed = parseTemplate(template, path)
  const first = parsed.literals[0] as string
  const local = first.startsWith('/') && !first.startsWith('//')
  if (!local && !/^https?:\/\/[^/?#\\\s]+(?:$|[/?#])/.test(first)) {
    throw new Error(
      `"${template}" must be "http(s)://host/..." or start with one "/", before any placeholder`,
    )
  }
  if (!local && parsed.names.length > 0 && !/^https?:\/\/[^/?#]+[/?#]/.test(first)) {
    throw new Error(`"${template}" has a placeholder in its host; put a "/" before "${parsed.names[0]}"`)
  }
  // "/*" filled with "/evil.example" would name another host.
  return local
    ? (params) => render(parsed, params).replace(/^\/{2,}/, '/')
    : (params) => render(parsed, params)
}
