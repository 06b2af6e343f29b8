import { isIP } from 'node:net'

/** The name in a Host header as it is compared: without the port, brackets and the dot at its end. */
function nameOf(host: string): string {
  return host
    .replace(/:\d+$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '')
    .toLowerCase()
}

/**
 * Tells whether a Host header names this listener as an operator would: by address, as localhost, or as configured.
 * @param names those of the config
 */
export function ownHosts(names: readonly string[]): (host: string) => boolean {
  const own = new Set(['localhost', ...names.map((name) => name.toLowerCase())])
  return (host) => {
    const name = nameOf(host)
    return own.has(name) || isIP(name) !== 0
  }
}
