import { isIP } from 'node:net'

/** Whether a Host header names this listener as an operator would: by address, as localhost, or as configured. */
export function isOwnHost(header: string, configured: string): boolean {
  const name = header
    .replace(/:\d+$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .toLowerCase()
  return name === 'localhost' || name === configured.toLowerCase() || isIP(name) !== 0
}
