import type { Distribution } from './distribution.ts'

/** A balancer by its name, alone or with its options, as `loadBalancing` has it in `gateway.config.ts`. */
export type PolicyChoice = string | { readonly policy: string; readonly [option: string]: unknown }

/** Alike targets. */
export interface TargetGroup {
  readonly count: number
  /** As configured. Default 1. */
  readonly weight?: number
  /** Requests that it works on at the same time, each at full speed. Default 1. */
  readonly capacity?: number
  /** Work done in a millisecond by each server. Default 1. */
  readonly speed?: number
  /** Default 0. */
  readonly tier?: number
  /** Default ''. */
  readonly zone?: string
}

/** Numbers of targets, counted from 0 over all groups, or a share of all (0..1), drawn by the seed. */
export type Which = readonly number[] | { readonly share: number }

/** Something else on the same machine, on for a while and off for a while, both exponentially distributed. */
export interface Antagonist {
  readonly targets: Which
  /** The target's speed is divided by it while the antagonist is on. */
  readonly slowdown: number
  readonly onMs: number
  /** 0: always on. */
  readonly offMs: number
}

export interface Failure {
  readonly targets: Which
  /**
   * `errors`: answers 500 at once, without doing any work. `refuses`: no connection; what is under way is lost.
   * `freezes`: says nothing, goes on where it was when it is over. Of several at a time the one that began last holds.
   */
  readonly mode: 'errors' | 'refuses' | 'freezes'
  readonly fromMs: number
  readonly toMs: number
}

export interface Arrivals {
  /** Part of what the fleet can carry with nothing slowed or broken: 1 is all of it. */
  readonly load: number
  /** `poisson` unless said otherwise: evenly at random. Bursts and sine keep the mean. */
  readonly shape?:
    | { readonly kind: 'poisson' }
    /** For `forMs` of every `everyMs` the rate is `factor` times the rate in between. */
    | { readonly kind: 'bursts'; readonly factor: number; readonly everyMs: number; readonly forMs: number }
    /** `amplitude` 0..1 is the part by which the rate goes up and down. */
    | { readonly kind: 'sine'; readonly amplitude: number; readonly periodMs: number }
}

/** A fleet, what is asked of it, and what goes wrong. Times are milliseconds from the start of the run. */
export interface Fleet {
  /** One line for people. */
  readonly about: string
  readonly targets: readonly TargetGroup[]
  readonly service: Distribution
  readonly arrivals: Arrivals
  /** `fifo`: each server works on one request and the rest waits in line. `sharing`: all at once, each at less speed. */
  readonly discipline: 'fifo' | 'sharing'
  /** Gateways in front, each with a registry of its own that knows only its own requests. Default 1. */
  readonly gateways?: number
  /** A request without an answer after so long is an error. Default: there is no deadline. */
  readonly deadlineMs?: number
  /** `limits.connections + limits.queue` of each gateway for each target. Default 384, the config's. */
  readonly limit?: number
  readonly antagonists?: readonly Antagonist[]
  readonly failures?: readonly Failure[]
  /** Health checks: a target that fails is set aside so long after it began, and used so long after it ended. */
  readonly health?: { readonly afterMs: number }
  /** What the requests are about: so many keys, by Zipf's law with this skew (0: all alike). Default: no keys. */
  readonly keys?: { readonly count: number; readonly skew: number }
  /** Each target remembers so many keys (the least recently used goes); a hit costs `hit` (0..1) of the work. */
  readonly cache?: { readonly keys: number; readonly hit: number }
  /**
   * What targets tell of their load on each answer (ORCA, `endpoint-load-metrics`): how busy their servers are and the
   * requests a second; with `rif` their requests in flight and latency as well. Default: nothing.
   */
  readonly reports?: 'utilisation' | 'rif'
  /** Default number of requests, at least 1000. */
  readonly requests: number
  /** Part of the requests, from the first on, that is not measured. Default 0.1. */
  readonly warmup?: number
  /** Which policies the page shows. Default: all there are, with their default options. */
  readonly policies?: readonly PolicyChoice[]
}

/** One figure of every target, in the order of the groups. */
export function spread(fleet: Fleet, figure: (group: TargetGroup) => number): Float64Array {
  return Float64Array.from(
    fleet.targets.flatMap((group) => new Array<number>(group.count).fill(figure(group))),
  )
}

export function targetCount(fleet: Fleet): number {
  return fleet.targets.reduce((sum, { count }) => sum + count, 0)
}

/** Work that all servers can do in a millisecond. */
export function fullSpeed(fleet: Fleet): number {
  return fleet.targets.reduce((sum, { count, capacity = 1, speed = 1 }) => sum + count * capacity * speed, 0)
}

/** The numbers that `which` names. */
export function chosen(which: Which, count: number, random: () => number): readonly number[] {
  if (!('share' in which)) return which
  const all = Array.from({ length: count }, (_, i) => i)
  const wanted = Math.round(which.share * count)
  for (let i = 0; i < wanted; i++) {
    const j = i + Math.floor(random() * (count - i))
    ;[all[i], all[j]] = [all[j]!, all[i]!]
  }
  return all.slice(0, wanted)
}
