import { readFileSync } from 'node:fs'

/** Kept for what belongs neither to a client nor to a target: logs, look-ups, Redis, checks, the admin port. */
const OWN = 64

/** Most file descriptors that this process may have; undefined where the system does not say so (Linux does). */
export function descriptorLimit(): number | undefined {
  try {
    const [, limit] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
    return limit === undefined ? undefined : Number(limit)
  } catch {
    return undefined
  }
}

/** What an upstream may open at most. */
interface Wants {
  readonly targets: readonly unknown[]
  readonly limits: { readonly connections: number; readonly tunnels: number }
}

export interface Room {
  /** Connections of clients at a time. */
  readonly clients: number
  /** Connections to targets that `limits` allow, without those of tunnels. */
  readonly wanted: number
  /** Those of them that there are descriptors for. */
  readonly fit: number
}

/**
 * How many connections of clients are taken, so that what they ask for finds a descriptor as well: all that targets
 * cannot take, or half of them if that is more, as HAProxy reckons its `maxconn` from `ulimit -n`.
 */
export function roomIn(limit: number, upstreams: readonly Wants[]): Room {
  const sum = (of: (limits: Wants['limits']) => number): number =>
    upstreams.reduce((all, { targets, limits }) => all + targets.length * of(limits), 0)
  const free = Math.max(2, limit - OWN)
  const clients = Math.max(
    Math.floor(free / 2),
    free - sum(({ connections, tunnels }) => connections + tunnels),
  )
  return { clients, wanted: sum(({ connections }) => connections), fit: free - clients }
}
