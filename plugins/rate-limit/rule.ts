import { asksWho } from '../config/expression-text.ts'
import type { Algorithm } from './algorithm.ts'
import { Gcra } from './gcra.ts'
import { PARTS, SlidingWindow } from './sliding-window.ts'

/** Text of the Common Expression Language. */
export interface Expression {
  readonly expression: string
}

/** What requests are told apart by; each is counted for itself. */
export type By = 'address' | 'identity' | 'consumer' | 'all' | `header:${string}` | Expression

/** A limit as the config has it. */
export interface Rule {
  readonly name?: string
  readonly max: number
  /** Milliseconds. */
  readonly per: number
  readonly burst?: number
  readonly by: By
  readonly cost: number | Expression
  readonly algorithm: Algorithm['kind']
  readonly dryRun: boolean
  readonly ipv6Prefix: number
}

/** What clients are told that the `i`th of several rules is called, which stand in a place of this kind. */
export function nameOf({ name }: Pick<Rule, 'name'>, kind: string, i: number): string {
  return name ?? (i === 0 ? kind : `${kind}-${i + 1}`)
}

const TOO_FINE =
  'cannot be counted without rounding; take a rounder `max`, a smaller `burst` or a shorter `per`'

/** What it costs for certain. */
function fixedCost({ cost }: Rule): number {
  return typeof cost === 'number' ? cost : 1
}

/**
 * The algorithm of a rule.
 * @param instances how many share the limit: each gets its part, and never less than a request costs
 * @returns why there is none, with the remedy, if it is a text
 */
export function algorithmOf(rule: Rule, instances = 1): Algorithm | string {
  const { max, per, burst = max, algorithm } = rule
  if (!Number.isInteger(per * 1000)) return '`per` is no whole number of microseconds; round it'
  const own = (whole: number): number =>
    instances === 1 ? whole : Math.max(fixedCost(rule), Math.ceil(whole / instances))
  if (algorithm === 'gcra') return Gcra.of(max, per * instances, own(burst)) ?? TOO_FINE
  if (rule.burst !== undefined) {
    return 'a sliding window has no `burst`: all of `max` may come at once; take it out, or take "gcra"'
  }
  if (per * 1000 < PARTS) return `\`per\` must be at least ${PARTS} microseconds with a sliding window`
  return new SlidingWindow(own(max), per)
}

/** Why a rule cannot be kept to, with the remedy; undefined if it can. */
export function ruleProblem(rule: Rule, instances: number): string | undefined {
  const algorithm = algorithmOf(rule)
  if (typeof algorithm === 'string') return algorithm
  const divided = algorithmOf(rule, instances)
  if (typeof divided === 'string') return `divided by \`instances\` it ${divided}`
  const cost = fixedCost(rule)
  if (cost <= algorithm.capacity) return undefined
  return `no request would ever fit: each costs ${cost}, and at most ${algorithm.capacity} fit at once; raise \`burst\` or lower \`cost\``
}

/** Whether it can be told only once it is known who a request comes from. */
export function needsIdentity({ by, cost }: Pick<Rule, 'by' | 'cost'>): boolean {
  if (by === 'identity' || by === 'consumer') return true
  return [by, cost].some((part) => typeof part === 'object' && asksWho(part.expression))
}
