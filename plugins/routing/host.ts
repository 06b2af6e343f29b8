/** Hosts as routes write them and as requests send them. */
import { isAddress } from '../config/addresses.ts'
import { normaliseHost } from '../config/host-name.ts'

/** The longest name that DNS knows (RFC 1035): longer ones are not worth stripping label by label. */
export const LONGEST_HOST = 253

/** All that a name, an address of version 4 and a port are written with (RFC 3986, 3.2.2), but for escapes, which nobody means. */
const NAME = /^[\w.~!$&'()*+;=-]*(?::\d{0,5})?$/
const IN_BRACKETS = /^\[([\da-f:.]+)\](?::\d{0,5})?$/i

/**
 * Whether a Host header is one (RFC 9112, 3.2). What is none may still be read by an upstream, and as another host than
 * here: `x@admin.example.com`, `admin.example.com/`, `[admin.example.com]`, `admin.example.com:80:1`,
 * `admin%2eexample.com`, `admin.example.com..`.
 */
export function isHost(host: string): boolean {
  if (!host.startsWith('[')) return NAME.test(host) && !host.includes('..')
  const address = IN_BRACKETS.exec(host)?.[1]
  return address?.includes(':') === true && isAddress(address)
}

export type HostPattern =
  | { readonly kind: 'any' }
  | { readonly kind: 'exact'; readonly name: string }
  /** `name` is what follows `*.` */
  | { readonly kind: 'wildcard'; readonly name: string }

/** Parses a route's host; undefined and `*` mean any. Throws an Error that names the remedy. */
export function parseHost(host: string | undefined): HostPattern {
  if (host === undefined || host === '*') return { kind: 'any' }
  const url = /^[a-z][a-z\d+.-]*:\/\/([^/?#]*)/i.exec(host)
  if (url !== null) {
    throw new Error(
      `the host "${host}" has a scheme, and hosts are matched whatever it is; write "${url[1]}"`,
    )
  }
  const wildcard = host.startsWith('*.')
  const bare = wildcard ? host.slice(2) : host
  const name = normaliseHost(bare)
  const withoutDot = bare.endsWith('.') ? bare.slice(0, -1) : bare
  if (name !== withoutDot.toLowerCase()) {
    throw new Error(
      `the host "${host}" has a port, and hosts are matched without it; write "${wildcard ? '*.' : ''}${name}"`,
    )
  }
  if (name === '' || name.includes('*') || !isHost(name)) {
    throw new Error(
      `the host "${host}" is neither a name ("api.example.com") nor a wildcard ("*.example.com")`,
    )
  }
  return wildcard ? { kind: 'wildcard', name } : { kind: 'exact', name }
}

/** The same for one or several. Throws an Error if one is named twice as well. */
export function parseHosts(host: string | readonly string[] | undefined): HostPattern[] {
  const patterns = typeof host === 'object' ? host.map(parseHost) : [parseHost(host)]
  const keys = patterns.map(hostKey)
  const twice = keys.find((key, index) => keys.indexOf(key) < index)
  if (twice !== undefined) throw new Error(`the host "${twice}" is named twice; leave one`)
  return patterns
}

/** One text per set of hosts, to tell whether two routes have the same. */
export function hostKey(host: HostPattern): string {
  if (host.kind === 'any') return '*'
  return host.kind === 'exact' ? host.name : `*.${host.name}`
}
