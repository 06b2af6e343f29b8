/** From the path that was asked for to the path that the upstream gets. */
import { canonicalise } from './canonical.ts'
import { parsePattern } from './pattern.ts'
import type { Params } from './route-match.ts'
import { parseTemplate, render } from './template.ts'

/** At most one of the two; with neither the path goes on unchanged. */
export interface RewriteOptions {
  readonly path: string | RegExp
  /** Taken off at the front, at a segment boundary: with `/users`, `/users/7` becomes `/7` and `/users` `/`. */
  readonly stripPrefix?: string
  /** The new path, with placeholders: see `parseTemplate`. No query. */
  readonly rewrite?: string
}

export type Rewrite = (path: string, params: Params) => string

/**
 * The rewrite of a route. What it returns is canonical, as the path it is given must be; slashes that
 * meet because a parameter is empty are merged.
 *
 * Throws an Error that names the remedy when the options make no sense. The function returned throws
 * an Error only where a regex's groups were put together so that the result is not canonical (a dot
 * segment, half an escape): answer 400, for forwarding it would open a hole.
 */
export function compileRewrite({ path, stripPrefix, rewrite }: RewriteOptions): Rewrite {
  if (rewrite !== undefined && stripPrefix !== undefined) {
    throw new Error('"rewrite" and "stripPrefix" exclude each other; say it all with "rewrite"')
  }
  if (rewrite !== undefined) return fromTemplate(rewrite, path)
  if (stripPrefix !== undefined) return fromPrefix(stripPrefix, path)
  return (asked) => asked
}

function fromTemplate(rewrite: string, path: string | RegExp): Rewrite {
  if (!rewrite.startsWith('/'))
    throw new Error(`rewrite "${rewrite}" must start with "/"; did you mean "/${rewrite}"?`)
  if (/[?#]/.test(rewrite)) {
    throw new Error(`rewrite "${rewrite}" must be a path alone; change the query with query edits`)
  }
  const template = parseTemplate(rewrite, path)
  // A faulty text around the placeholders is told now and not by every request.
  requireCanonical(render(template, Object.fromEntries(template.names.map((name) => [name, 'x']))))
  return (_, params) => requireCanonical(mergeSlashes(render(template, params)))
}

function fromPrefix(stripPrefix: string, path: string | RegExp): Rewrite {
  const prefix = stripPrefix.endsWith('/') ? stripPrefix.slice(0, -1) : stripPrefix
  if (!stripPrefix.startsWith('/') || /[*?#]|\/:/.test(stripPrefix)) {
    throw new Error(
      `stripPrefix "${stripPrefix}" must be plain segments such as "/users"; else use "rewrite"`,
    )
  }
  requireCanonical(stripPrefix)
  if (typeof path === 'string' && !mayStartWith(path, prefix)) {
    throw new Error(`stripPrefix "${stripPrefix}" never starts what "${path}" matches`)
  }
  return (asked) => {
    if (!startsWith(asked, prefix)) return asked
    return asked.length === prefix.length ? '/' : asked.slice(prefix.length)
  }
}

function startsWith(path: string, prefix: string): boolean {
  if (!path.startsWith(prefix)) return false
  return path.length === prefix.length || path.charCodeAt(prefix.length) === 0x2f
}

/** What a route's `stripPrefix` takes off the front of this path; undefined if it takes nothing. */
export function strippedFrom(path: string, stripPrefix: string | undefined): string | undefined {
  if (stripPrefix === undefined) return undefined
  const prefix = stripPrefix.endsWith('/') ? stripPrefix.slice(0, -1) : stripPrefix
  return prefix !== '' && startsWith(path, prefix) ? prefix : undefined
}

function mayStartWith(path: string, prefix: string): boolean {
  const pattern = parsePattern(path)
  if (pattern.kind === 'regex') return true
  if (pattern.kind === 'exact') return pattern.path === prefix || pattern.path.startsWith(`${prefix}/`)
  const { segments, wildcard } = pattern
  const wanted = prefix.split('/').slice(1)
  if (wanted.length > segments.length && !wildcard) return false
  return wanted.every((text, place) => place >= segments.length || (segments[place] ?? text) === text)
}

function mergeSlashes(path: string): string {
  return path.includes('//') ? path.replace(/\/{2,}/g, '/') : path
}

function requireCanonical(path: string): string {
  // Encoded slashes were admitted, or refused, when the request came.
  const result = canonicalise(path, { encodedSlash: true })
  if (result.ok && result.path === path) return path
  const why = result.ok ? `; canonical would be "${result.path}"` : `: ${result.reason}`
  throw new Error(`the rewritten path "${path}" is not canonical${why}`)
}
