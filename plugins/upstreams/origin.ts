/** What may stand as a target's `origin`. */

const PLAIN = /^https?:\/\/[^\s/?#@\\]+$/i
const UNIX = /^unix:(\/[^\0]+)$/

/** The path of the socket that a `unix:` origin names, or undefined for the others. */
export function unixSocket(origin: string): string | undefined {
  return UNIX.exec(origin)?.[1]
}

/** The same text for origins that name the same server: `http://a:80` and `http://A` do. */
export function serverOf(origin: string): string {
  return URL.canParse(origin) && !origin.startsWith('unix:') ? new URL(origin).origin : origin
}

/** Why `origin` is none, with the remedy, or undefined if it is one. */
export function originProblem(origin: unknown): string | undefined {
  if (typeof origin !== 'string') return `must be text like "http://10.0.0.1:8080", is ${typeof origin}`
  if (origin.startsWith('unix:')) {
    return unixSocket(origin) === undefined
      ? `"${origin}" names no socket; write "unix:/run/app.sock"`
      : undefined
  }
  if (!URL.canParse(origin)) return `"${origin}" is no origin; write "http://10.0.0.1:8080"`
  const url = new URL(origin)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    return `"${origin}" has a scheme that is not spoken; use http:, https: or unix:`
  }
  if (url.username !== '' || url.password !== '') {
    return 'holds credentials; take them out, and set a header from the environment on the route instead'
  }
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '' || origin.endsWith('/')) {
    return `"${origin}" has a path; write "${url.origin}" and put the path into the route's \`rewrite\``
  }
  // What is left the URL parser forgives (blanks, an empty query, user or host): we do not.
  return PLAIN.test(origin) ? undefined : `"${origin}" is no plain origin; write "${url.origin}"`
}
