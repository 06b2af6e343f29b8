/** The words in which routes and requests meet: what a route asks for, and what a request is. */

/**
 * A condition on one value: a string is the exact value, a RegExp is searched for in the value (not
 * anchored: write `^` and `$`), `true` means present with whatever value, `false` means absent.
 */
export type Matcher = string | RegExp | boolean

/** What a route matches. All that is given must hold. */
export interface RouteMatch {
  /** `api.example.com`, or `*.example.com` for one or more labels before it; one of several. Without a port. Default: any host. */
  readonly host?: string | readonly string[]
  /**
   * `/users`, `/users/:id` (a whole, non-empty segment), `/users/*` (at the end only; matches `/users`,
   * `/users/` and all below), or a RegExp that must match the whole canonical path.
   */
  readonly path: string | RegExp
  /** Default: all methods. GET brings HEAD with it; OPTIONS is served only where it is listed. */
  readonly methods?: readonly string[]
  /** By header name, in any case. */
  readonly headers?: Readonly<Record<string, Matcher>>
  /** By parameter name, percent-decoded, `+` as a space. */
  readonly query?: Readonly<Record<string, Matcher>>
  /** By cookie name, without surrounding double quotes, not decoded. */
  readonly cookies?: Readonly<Record<string, Matcher>>
}

/** What routing looks at in a request. */
export interface RequestFacts {
  /** The Host header as sent; a port is ignored. `''` where there is none. */
  readonly host: string
  /** Upper-case, as HTTP sends it. */
  readonly method: string
  /** Canonical: see `canonicalise`. */
  readonly path: string
  /** Raw, with its leading `?`, or `''`. */
  readonly query: string
  /** By lower-case name, as Node gives them. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** Names and values in turn, as they came. Without them no header has come more than once. */
  readonly rawHeaders?: readonly string[]
}

/**
 * `route`: `index` is the place in the list given to `createRouter`. The values of `params` stay in
 * canonical encoded form (`a%20b`), so that a rewrite can put them into a path again as they are.
 * `ambiguous`: a header, parameter or cookie has come several times, and whether a route matches hangs on which of them
 * is meant. Upstreams differ in that: what passes here for one request may be another one there.
 * `method`: something matches but for its method; `allow` is sorted, for the `Allow` header.
 */
export type MatchResult =
  | { readonly kind: 'route'; readonly index: number; readonly params: Params }
  | { readonly kind: 'ambiguous' }
  | { readonly kind: 'method'; readonly allow: readonly string[] }
  | { readonly kind: 'none' }

/** By name: `id` of `:id`, `*` for the rest (no leading slash), `1` and `name` of a regex's groups. */
export type Params = Readonly<Record<string, string>>
