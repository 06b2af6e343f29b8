import type { Kind } from '../availability/answer.ts'

/**
 * How a request ended. `answered`: whole and right. `status`: a whole answer of 400 or above. `cut`: the answer began
 * and did not come to its end. `unanswered`: the connection failed before an answer began. `left`: we went away.
 * `wrong`: what came looked whole, and was not what was asked for. `hung`: nothing came for longer than any deadline.
 */
export type Fate = 'answered' | 'status' | 'cut' | 'unanswered' | 'left' | 'wrong' | 'hung'

export const fates: readonly Fate[] = ['answered', 'status', 'cut', 'left', 'unanswered', 'wrong', 'hung']

export interface Ending {
  readonly id: string
  readonly kind: Kind
  readonly fate: Fate
  /** The status, or the error of the connection. */
  readonly detail: string
  /** Milliseconds since the beginning of the load: when it was sent, and when it had ended. */
  readonly at: number
  readonly end: number
  /** Which attempts the gateway made, where the answer said so. */
  readonly attempts?: string | undefined
}

/** Kept in full of the endings that must not be. */
const keptInFull = 200
const keptFailed = 20_000

/** Every request of the run, and what became of it. */
export class Ledger {
  readonly counts = new Map<Kind, Map<Fate, number>>()
  readonly details = new Map<string, number>()
  /** Endings that the gateway has to answer for. */
  readonly grave: Ending[] = []
  /** GETs of small answers that ended in a status or were cut: taken out at the end of each phase. */
  readonly failedGets: Ending[] = []
  /** Ids of POSTs: all, and those that were answered well. */
  readonly orders = new Set<string>()
  readonly answeredOrders = new Set<string>()
  sent = 0
  ended = 0
  /** The load generator's own delay at its worst (ms). */
  late = 0

  begin(kind: Kind, id: string, late: number): void {
    this.sent++
    if (kind === 'orders') this.orders.add(id)
    if (late > this.late) this.late = late
  }

  end(ending: Ending): void {
    const { id, kind, fate, detail } = ending
    this.ended++
    const ofKind = this.counts.get(kind) ?? new Map<Fate, number>()
    this.counts.set(kind, ofKind)
    ofKind.set(fate, (ofKind.get(fate) ?? 0) + 1)
    if (kind === 'orders' && fate === 'answered') this.answeredOrders.add(id)
    if (fate === 'answered' || fate === 'left') return
    const key = `${fate} ${detail}`.trim()
    this.details.set(key, (this.details.get(key) ?? 0) + 1)
    if ((kind === 'small' || kind === 'chunked') && this.failedGets.length < keptFailed)
      this.failedGets.push(ending)
    const isGrave = fate === 'unanswered' || fate === 'wrong' || fate === 'hung'
    if (isGrave && this.grave.length < keptInFull) this.grave.push(ending)
  }

  count(fate: Fate): number {
    let sum = 0
    for (const ofKind of this.counts.values()) sum += ofKind.get(fate) ?? 0
    return sum
  }
}

/** POSTs against what the targets say that they have executed. */
export function executionsOf(ledger: Ledger, executions: ReadonlyMap<string, number>) {
  const times = (id: string) => executions.get(id) ?? 0
  return {
    posts: ledger.orders.size,
    twice: [...ledger.orders].filter((id) => times(id) > 1),
    /** Answered well and never executed. */
    lost: [...ledger.answeredOrders].filter((id) => times(id) === 0),
  }
}
