import { messageOf } from '../config/messages.ts'
import type { Upstream, UpstreamRegistry } from '../upstreams/contract.ts'
import type { Action, Rule } from './rules/rule.ts'
import type { Shedding } from './shedding.ts'

/** What is in force. */
interface Started {
  /** Returns false if there was nothing to undo: somebody has set it otherwise meanwhile. */
  readonly undo: () => boolean
  /** Why it has to end before its alert does, if it has. */
  readonly over?: () => string | undefined
}

/** Why it is not done. */
interface Refused {
  readonly why: string
  /** It may be done later, while the alert goes on. */
  readonly waits: boolean
}

export interface ActionPorts {
  readonly upstreams: Pick<UpstreamRegistry, 'upstream'>
  readonly shedding: Shedding
  /** Throws if it cannot be done. Returns what undoes it; that returns false if somebody has set it anew since. */
  setSplit(route: string, shares: Readonly<Record<string, number>>): () => boolean
  /** `overruled`: it has ended, and there was nothing to undo. */
  told(rule: Rule, what: 'done' | 'undone' | 'overruled' | 'refused', why: string): void
}

/**
 * What alerts do while they fire. Each is undone when its alert ends, when an operator says so, or when it does harm.
 * What an operator has done by hand meanwhile stays as it is.
 */
export class Actions {
  readonly #ports: ActionPorts
  readonly #active = new Map<Rule, Started>()
  readonly #waiting = new Set<Rule>()

  constructor(ports: ActionPorts) {
    this.#ports = ports
  }

  /** Rules whose action is in force. */
  get active(): readonly Rule[] {
    return [...this.#active.keys()]
  }

  start(rule: Rule): void {
    if (rule.action === undefined || this.#active.has(rule)) return
    let started: Started | Refused
    try {
      started = this.#start(rule.action, `the alert ${rule.name}`)
    } catch (error) {
      started = { why: messageOf(error), waits: false }
    }
    const waited = this.#waiting.delete(rule)
    if ('undo' in started) {
      this.#active.set(rule, started)
      this.#ports.told(rule, 'done', 'its alert fires')
      return
    }
    if (started.waits) this.#waiting.add(rule)
    // That it goes on waiting is no news.
    if (!waited || !started.waits) this.#ports.told(rule, 'refused', started.why)
  }

  /** Does nothing if the action is not in force. */
  end(rule: Rule, why: string): boolean {
    this.#waiting.delete(rule)
    const started = this.#active.get(rule)
    if (started === undefined) return false
    this.#active.delete(rule)
    let undone: boolean
    try {
      undone = started.undo()
    } catch (error) {
      this.#ports.told(rule, 'refused', messageOf(error))
      return false
    }
    this.#ports.told(rule, undone ? 'undone' : 'overruled', why)
    return true
  }

  /** To be called now and then: what was right when it was done may have become harmful, and the other way round. */
  look(): void {
    for (const [rule, { over }] of this.#active) {
      const why = over?.()
      if (why !== undefined) this.end(rule, why)
    }
    for (const rule of [...this.#waiting]) this.start(rule)
  }

  #start(action: Action, by: string): Started | Refused {
    const { shedding, setSplit, upstreams } = this.#ports
    switch (action.kind) {
      case 'drain':
        return drain(upstreams.upstream(action.upstream), action.target, by)
      case 'split':
        return { undo: setSplit(action.route, action.shares) }
      case 'shed':
        shedding.set(action.scope, action.share)
        return {
          undo: () => {
            shedding.set(action.scope, 0)
            return true
          },
        }
    }
  }
}

function drain(upstream: Upstream, origin: string, by: string): Started | Refused {
  const target = upstream.targets.find((one) => one.origin === origin)
  if (target === undefined) return { why: `"${origin}" is no target any more`, waits: false }
  // Whoever takes it back by hand means it: nothing is waited for.
  if (target.draining) return { why: `"${origin}" is draining already`, waits: false }
  if (!upstream.offers((one) => one !== target))
    return { why: `"${origin}" is the last target that can be used`, waits: true }
  // Not waited for: what it has under way it finishes.
  void upstream.drain(target, by)
  return {
    undo: () => {
      if (!upstream.targets.includes(target) || !target.draining) return false
      upstream.undrain(target, by)
      return !target.draining
    },
    over: () => {
      if (!upstream.targets.includes(target)) return 'its target is gone'
      if (!target.draining) return 'it was taken back by hand'
      return upstream.offers(() => true) ? undefined : 'no other target is left'
    },
  }
}
