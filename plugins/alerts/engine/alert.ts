import type { Labels, Rule } from '../rules/rule.ts'
import type { Verdict } from './evaluate.ts'

/** What a rule has come to. Times of day are in milliseconds since 1970. */
export interface Alert {
  readonly rule: Rule
  /** Those of the rule, and `instance`: two gateways with one config have two alerts. */
  readonly labels: Labels
  readonly fingerprint: string
  readonly state: 'inactive' | 'pending' | 'firing'
  /** Of the condition, when it last held. */
  readonly value: number
  /** When it began to fire. */
  readonly startsAt: number
  /** When it was resolved; 0 while it is not. */
  readonly endsAt: number
}

/**
 * inactive, pending, firing, as Prometheus has them (rules/alerting.go, `AlertingRule.Eval`): the condition has to hold
 * at every evaluation for `holdFor`; an alert that fires ends `keepFiring` after its condition first failed to. While
 * nothing can be told, one that fires stays as it is.
 */
export class AlertState implements Alert {
  readonly rule: Rule
  readonly #instance: () => string
  state: Alert['state'] = 'inactive'
  value = 0
  startsAt = 0
  endsAt = 0
  /** Monotonic: since when it holds, and since when it does not. */
  #activeAt = 0
  #keptSince = Number.NaN

  /** @param instance which gateway this is; its port is known when it listens */
  constructor(rule: Rule, instance: () => string) {
    this.rule = rule
    this.#instance = instance
  }

  get labels(): Labels {
    return { ...this.rule.labels, instance: this.#instance() }
  }

  get fingerprint(): string {
    return fingerprint(this.labels)
  }

  /**
   * @param verdict of the condition
   * @param steady false if evaluations were missed: nothing was seen to hold, or to fail to, all the time
   * @returns what has changed for those who are to know
   */
  next(verdict: Verdict, now: number, timeOfDay: number, steady: boolean): 'fired' | 'resolved' | undefined {
    // The wall clock was set back: nothing ends before it began.
    if (this.state === 'firing') this.startsAt = Math.min(this.startsAt, timeOfDay)
    if (verdict === false) return this.#failsToHold(now, timeOfDay, steady)
    if (verdict === undefined) {
      this.#keptSince = Number.NaN
      if (this.state === 'pending') this.state = 'inactive'
      return undefined
    }
    this.value = verdict
    this.#keptSince = Number.NaN
    if (this.state === 'firing') return undefined
    if (this.state === 'inactive' || !steady) this.#activeAt = now
    this.state = 'pending'
    if (now - this.#activeAt < this.rule.holdFor) return undefined
    this.state = 'firing'
    this.startsAt = timeOfDay
    this.endsAt = 0
    return 'fired'
  }

  #failsToHold(now: number, timeOfDay: number, steady: boolean): 'resolved' | undefined {
    if (this.state !== 'firing') {
      this.state = 'inactive'
      return undefined
    }
    if (Number.isNaN(this.#keptSince) || !steady) this.#keptSince = now
    if (now - this.#keptSince < this.rule.keepFiring) return undefined
    this.state = 'inactive'
    this.endsAt = timeOfDay
    return 'resolved'
  }
}

const PRIME = 0x100000001b3n
const OFFSET = 0xcbf29ce484222325n

/** As Prometheus and Alertmanager compute it: FNV-1a over the sorted labels, with 255 after each name and value. */
export function fingerprint(labels: Labels): string {
  const bytes = new TextEncoder()
  let hash = OFFSET
  const add = (byte: number): void => {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * PRIME)
  }
  for (const name of Object.keys(labels).toSorted()) {
    for (const text of [name, labels[name] as string]) {
      for (const byte of bytes.encode(text)) add(byte)
      add(255)
    }
  }
  return hash.toString(16).padStart(16, '0')
}

/** Prometheus' `humanizePercentage`: four digits that count. */
const percentage = (value: number): string => `${Number((value * 100).toPrecision(4))}%`

const TEMPLATE = /\{\{\s*\$(?:value\s*(\|\s*humanizePercentage\s*)?|labels\.(\w+)\s*)\}\}/g

/** Fills in `{{ $value }}`, `{{ $value | humanizePercentage }}` and `{{ $labels.name }}`, which Prometheus reads too. */
export function filled(text: string, value: number, labels: Labels): string {
  return text.replace(TEMPLATE, (_all, human: string | undefined, name: string | undefined) => {
    if (name !== undefined) return labels[name] ?? ''
    return human === undefined ? String(value) : percentage(value)
  })
}

/** Whether all that a text has in double braces is filled in. Of three braces Prometheus takes the first two. */
export const isTemplate = (text: string): boolean =>
  !text.includes('{{{') && !/\{\{|\}\}/.test(text.replace(TEMPLATE, ' '))
