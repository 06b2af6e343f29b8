/**
 * How a concern shows its numbers. It counts by itself, in what is cheapest for it, and registers a collector, which
 * is asked only when somebody looks (a scrape, an alert rule, a person): no concern knows who that is.
 */
export interface Collector {
  /** After Prometheus' conventions, without the prefix: `retries_total`, `circuit_breaker_open`. */
  readonly name: string
  /** One sentence for people. */
  readonly help: string
  /** A counter only grows, from 0 at the start of the process. */
  readonly type: 'counter' | 'gauge'
  /** Names of the labels. Their values come from the config or from a fixed list, never from a request. */
  readonly labels: readonly string[]
  /** Calls `add` once for each combination of label values, in the order of `labels`. */
  collect(add: (value: number, ...labels: string[]) => void): void
}

/** Values of the label `route` that are no routes of the config: no route took it, an endpoint of the gateway's own did. */
export const NO_ROUTE = 'none'
export const LOCAL = 'local'

/** Values of the label `result` that count as errors: the gateway or what is behind it did not do its work. */
export const ERROR_RESULTS: readonly string[] = ['5xx', 'none', 'cut']

/** What has come of the requests of a route or to an upstream since the start. Grows only. */
export interface Traffic {
  /** Requests that ended, however they did. */
  readonly requests: number
  /** Those that failed (`ERROR_RESULTS`): answered with 5xx, or with nothing or not all though the client was there. */
  readonly errors: number
  /** Those that took longer than so many milliseconds; exact for thresholds that were named with `Measures.threshold`. */
  slowerThan(milliseconds: number): number
}

/** What the metrics offer to those who evaluate them in this process: alerts, a terminal view. */
export interface Measures {
  /** Asks for exact counts of what takes longer than this. Before the server is ready. */
  threshold(milliseconds: number): void
  /** Throws if there is no such route or upstream. */
  route(name: string): Traffic
  upstream(name: string): Traffic
  /** Over all routes. */
  total(): Traffic
}
