import type { Division } from '../../upstreams/division.ts'
import { type ApertureOptions, apertureOf } from './aperture.ts'

/**
 * Uses a subset of the targets only, so that very many gateways and targets need not all be connected. Those that
 * belong to it in part get that part, whatever the policy.
 */
export function withSubset(options: ApertureOptions): Division {
  return (targets) => [{ name: 'subset', share: 1, ...apertureOf(targets, options) }]
}

/** Each part that `outer` makes is divided by `inner`. */
export function nested(outer: Division, inner: Division): Division {
  return (targets) =>
    outer(targets).flatMap((part) =>
      inner(part.targets).map((one) => ({
        ...one,
        name: `${part.name}, ${one.name}`,
        share: part.share * one.share,
      })),
    )
}
