import type { Target, TargetSpec } from './contract.ts'
import type { TargetChange } from './events.ts'
import { originProblem, serverOf } from './origin.ts'
import { TargetState } from './target.ts'

/** Who drains a target, if nothing else is said. */
const OPERATOR = 'operator'

/** As the config has it: sums of them stay exact enough. */
const MOST_WEIGHT = 1_000_000

function checkWeight(weight: number): void {
  if (!(weight >= 0 && weight <= MOST_WEIGHT))
    throw new RangeError(`weight must be 0 or more and at most ${MOST_WEIGHT}, is ${weight}`)
}

/** The targets of one upstream: they come and go, are weighted and drained. */
export class Roster {
  readonly #upstream: string
  readonly #told: (change: TargetChange) => void
  readonly #servers = new Set<string>()
  #targets: TargetState[] = []

  /** @param told hears of every change */
  constructor(upstream: string, told: (change: TargetChange) => void) {
    this.#upstream = upstream
    this.#told = told
  }

  get targets(): readonly TargetState[] {
    return this.#targets
  }

  add(spec: TargetSpec): Target {
    const problem = originProblem(spec.origin)
    if (problem !== undefined) throw new RangeError(problem)
    const { origin, weight = 1, tier = 0, zone = '' } = spec
    checkWeight(weight)
    if (!Number.isInteger(tier) || tier < 0 || tier > 9) {
      throw new RangeError(`tier must be a whole number from 0 to 9, is ${tier}`)
    }
    if (this.#servers.has(serverOf(origin))) {
      throw new RangeError(`upstream "${this.#upstream}" has a target "${origin}" already`)
    }
    this.#servers.add(serverOf(origin))
    const target = new TargetState(this.#upstream, { origin, weight, tier, zone })
    this.#targets.push(target)
    this.#told({ kind: 'added', target })
    return target
  }

  setWeight(target: Target, weight: number): void {
    checkWeight(weight)
    const own = this.#own(target)
    if (own.weight === weight) return
    own.weight = weight
    this.#told({ kind: 'changed', target })
  }

  drain(target: Target, by = OPERATOR): Promise<void> {
    const own = this.#own(target)
    own.drainedBy.add(by)
    if (!own.draining) {
      own.draining = true
      this.#told({ kind: 'draining', target })
    }
    return own.idle()
  }

  undrain(target: Target, by?: string): void {
    const own = this.#own(target)
    if (by === undefined) own.drainedBy.clear()
    else own.drainedBy.delete(by)
    if (!own.draining || own.drainedBy.size > 0) return
    own.draining = false
    this.#told({ kind: 'changed', target })
  }

  async remove(target: Target): Promise<void> {
    const own = this.#own(target)
    await this.drain(own)
    // It may have been taken back into service, or removed by someone else, while it drained.
    if (!own.draining || !this.#targets.includes(own)) return
    this.#targets = this.#targets.filter((one) => one !== own)
    this.#servers.delete(serverOf(own.origin))
    this.#told({ kind: 'removed', target })
  }

  #own(target: Target): TargetState {
    const own = this.#targets.find((one) => one === target)
    if (own === undefined)
      throw new RangeError(`"${target.origin}" is no target of upstream "${this.#upstream}"`)
    return own
  }
}
