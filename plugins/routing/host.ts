/** Hosts as routes write them and as requests send them. */
import { normaliseHost } from '../config/host-name.ts'

/** The longest name that DNS knows (RFC 1035): longer ones are not worth stripping label by label. */
export const LONGEST_HOST = 253

/** All that a name, an address and a port are written with (RFC 3986, 3.2.2), but for escapes, which nobody means. */
const AUTHORITY = /^[\w.~!$&'()*+,;=:[\]-]*$/

/**
 * Whether a Host header is one (RFC 9112, 3.2). What is none may still be read by an upstream, and as another host than
 * here: `x@admin.example.com`, `admin.example.com/`, `admin%2eexample.com`, `admin.example.com..`.
 */
export function isHost(host: string): boolean {
  return AUTHORITY.test(host) && !host.includes('..') && !host.includes(',')
}

export type HostPattern =
  | { readonly kind: 'any' }
  | { readonly kind: 'exact'; readonly name: string }
  /** `name` is what follows `*.` */
  | { readonly kind: 'wildcard'; readonly name: string }

/** Parses a route's host; undefined and `*` mean any. Throws an Error that names the remedy. */
export function parseHost(host: string | undefined): HostPattern {
  if (host === undefined || host === '*') return { kind: 'any' }
  const wildcard = host.startsWith('*.')
  const bare = wildcard ? host.slice(2) : host
  const name = normaliseHost(bare)
  const withoutDot = bare.endsWith('.') ? bare.slice(0, -1) : bare
  if (name !== withoutDot.toLowerCase()) {
    throw new Error(
      `the host "${host}" has a port, and hosts are matched without it; write "${wildcard ? '*.' : ''}${name}"`,
    )
  }
  if (
    name === '' ||
    name.includes('*') ||
    !/^(?:\[[0-9a-f:.]+\]|[!-~]+)$/.test(name) ||
    /[/?#@\\]/.test(name)
  ) {
    throw new Error(
      `the host "${host}" is neither a name ("api.example.com") nor a wildcard ("*.example.com")`,
    )
  }
  return wildcard ? { kind: 'wildcard', name } : { kind: 'exact', name }
}

/** One text per set of hosts, to tell whether two routes have the same. */
export function hostKey(host: HostPattern): string {
  if (host.kind === 'any') return '*'
  return host.kind === 'exact' ? host.name : `*.${host.name}`
}
