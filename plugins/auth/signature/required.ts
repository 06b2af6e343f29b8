/** Derived components (RFC 9421, 2.2) that a request has. `@query-param` is one of many, so it cannot be demanded as such. */
const DERIVED: ReadonlySet<string> = new Set([
  '@method',
  '@target-uri',
  '@authority',
  '@scheme',
  '@request-target',
  '@path',
  '@query',
])

/** What else is covered by covering one. */
const IMPLIED: Readonly<Record<string, readonly string[]>> = {
  '@target-uri': ['@scheme', '@authority', '@path', '@query'],
  '@request-target': ['@path', '@query'],
}

/** Why a component of the config cannot be demanded, or undefined. */
export function parseRequired(name: string): string | undefined {
  if (name.startsWith('@')) {
    return DERIVED.has(name) ? undefined : `"${name}" is no component that can be demanded of a request`
  }
  return /^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name)
    ? undefined
    : `"${name}" is no name of a header in lower case`
}

/** The first of the demanded components that is not covered; undefined if all are. */
export function uncovered(required: readonly string[], covered: ReadonlySet<string>): string | undefined {
  return required.find(
    (name) =>
      !covered.has(name) &&
      !Object.entries(IMPLIED).some(([wide, all]) => covered.has(wide) && all.includes(name)),
  )
}
