import type { Lease, LeaseRefusal, Upstream } from '../upstreams/contract.ts'
import { Attempt } from './attempt.ts'
import type { AttemptOptions, AttemptOwner } from './attempt-owner.ts'
import type { TargetPool } from './pools.ts'

const NONE_TRIED: ReadonlySet<never> = new Set()

/** The answers to shadow traffic are read, so that connections are kept, and thrown away. */
const NOBODY: AttemptOwner = {
  headed: () => 'discard',
  hold: () => 0,
  whole() {},
  streams(_attempt, body) {
    body.destroy()
  },
  waited() {},
  failed() {},
  gaveWay() {},
  broke() {},
}

/**
 * Sends a copy of a request to one target of `upstream`; where none is to be had, it is not sent.
 * @returns whether an attempt was made
 */
export function sendMirrored(
  upstream: Upstream,
  poolOf: (lease: Lease) => TargetPool,
  options: AttemptOptions,
): boolean {
  let lease: Lease | LeaseRefusal | undefined
  try {
    lease = upstream.lease({ key: '', repeatable: false, tried: NONE_TRIED })
    if (typeof lease !== 'string') new Attempt(NOBODY, lease, 'first', poolOf(lease), options).send()
  } catch {
    // A policy that fails for the copy must not fail the request itself.
    if (typeof lease === 'object') lease.release()
  }
  return typeof lease === 'object'
}
