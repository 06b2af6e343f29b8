import dns from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import { unixSocket } from '../../upstreams/origin.ts'
import type { Address, Answer } from './name-state.ts'
import type { Names } from './names.ts'

/** RFC 6761, 6.3: never anything else, and no look-up is needed to know. */
const LOOPBACK: readonly Address[] = [
  { address: '127.0.0.1', family: 4 },
  { address: '::1', family: 6 },
]

function isLocal(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost')
}

/** The name that a target's addresses are found by; undefined where there is nothing to look up. */
export function nameOf(origin: string): string | undefined {
  if (unixSocket(origin) !== undefined) return undefined
  const { hostname } = new URL(origin)
  return hostname.startsWith('[') || isIP(hostname) !== 0 || isLocal(hostname) ? undefined : hostname
}

/** By getaddrinfo, as `net.connect` does: /etc/hosts and nsswitch.conf hold. */
export function askSystem(name: string, found: Answer): void {
  dns.lookup(name, { all: true, hints: dns.ADDRCONFIG }, (error, addresses) =>
    found(error, addresses as readonly Address[]),
  )
}

/** libuv gives getaddrinfo half of its threads, and no more: `slow_work_thread_threshold` in its threadpool.c. */
export function lookupSlots(threads = Number(process.env['UV_THREADPOOL_SIZE']) || 4): number {
  return Math.ceil(Math.max(1, threads) / 2)
}

/** What sockets are given as `lookup`. Of several addresses they try one after the other (RFC 8305). */
export function lookupBy(names: Pick<Names, 'resolve'>): LookupFunction {
  return (host, { all }, callback) => {
    const resolved = (error: Error | undefined, addresses: readonly Address[]): void => {
      const [first] = addresses
      if (error !== undefined || first === undefined)
        callback(error ?? new Error(`${host} has no address`), '', 0)
      else if (all === true) callback(null, [...addresses])
      else callback(null, first.address, first.family)
    }
    if (isLocal(host)) resolved(undefined, LOOPBACK)
    else names.resolve(host, resolved)
  }
}
