import type { Claim } from './limit.ts'

const RESULTS = ['allowed', 'refused', 'would-refuse'] as const
type Result = (typeof RESULTS)[number]

/** Milliseconds between two lines about the same limit. */
const REPORT_EVERY = 10_000

interface Dry {
  reportedAt: number
  since: number
}

/** Counts what limits decided, for a scrape and the log. */
export class Tally {
  /** By route and by limit. Their names are the config's, so there is an end to them. */
  readonly #counts = new Map<string, Map<string, Record<Result, number>>>()
  readonly #dry = new Map<string, Dry>()
  readonly #now: () => number
  readonly #report: (limit: string, route: string, requests: number) => void

  /**
   * @param now milliseconds
   * @param report hears of requests that limits on trial would have refused: at once, then all ten seconds at most
   */
  constructor(now: () => number, report: (limit: string, route: string, requests: number) => void) {
    this.#now = now
    this.#report = report
  }

  /** @param route name of the route; '' for requests that no route takes */
  count(route: string, claims: readonly Claim[], allowed: boolean): void {
    for (const { limit, fits, known } of claims) {
      if (!known) continue
      if (limit.rule.dryRun) {
        this.#add(route, limit.id, fits ? 'allowed' : 'would-refuse')
        if (!fits) this.#tried(limit.id, route)
      } else if (!fits) this.#add(route, limit.id, 'refused')
      // What another limit has refused, this one has not decided.
      else if (allowed) this.#add(route, limit.id, 'allowed')
    }
  }

  collect(add: (value: number, limit: string, route: string, result: string) => void): void {
    for (const [route, limits] of this.#counts) {
      for (const [limit, counts] of limits) {
        for (const result of RESULTS) add(counts[result], limit, route, result)
      }
    }
  }

  #add(route: string, limit: string, result: Result): void {
    const limits = this.#counts.get(route) ?? new Map<string, Record<Result, number>>()
    const counts = limits.get(limit)
    if (counts !== undefined) {
      counts[result]++
      return
    }
    limits.set(limit, { allowed: 0, refused: 0, 'would-refuse': 0, [result]: 1 })
    this.#counts.set(route, limits)
  }

  #tried(limit: string, route: string): void {
    const now = this.#now()
    const dry = this.#dry.get(limit) ?? { reportedAt: Number.NEGATIVE_INFINITY, since: 0 }
    this.#dry.set(limit, dry)
    dry.since++
    if (now - dry.reportedAt < REPORT_EVERY) return
    this.#report(limit, route, dry.since)
    dry.reportedAt = now
    dry.since = 0
  }
}
