import { messageOf } from '../config/messages.ts'
import type { Upstream, UpstreamRegistry } from '../upstreams/contract.ts'
import type { Action, Rule } from './rules/rule.ts'
import type { Shedding } from './shedding.ts'

/** What is in force. */
interface Started {
  readonly undo: () => void
  /** Why it has to end before its alert does, if it has. */
  readonly over?: () => string | undefined
}

export interface ActionPorts {
  readonly upstreams: Pick<UpstreamRegistry, 'upstream'>
  readonly shedding: Shedding
  /** Throws if it cannot be done. Returns what undoes it, unless somebody has set it anew since. */
  setSplit(route: string, shares: Readonly<Record<string, number>>): () => void
  told(rule: Rule, what: 'done' | 'undone' | 'refused', why: string): void
}

/**
 * What alerts do while they fire. Each is undone when its alert ends, when an operator says so, or when it does harm.
 * What an operator has done by hand meanwhile stays as it is.
 */
export class Actions {
  readonly #ports: ActionPorts
  readonly #active = new Map<Rule, Started>()

  constructor(ports: ActionPorts) {
    this.#ports = ports
  }

  /** Rules whose action is in force. */
  get active(): readonly Rule[] {
    return [...this.#active.keys()]
  }

  start(rule: Rule): void {
    if (rule.action === undefined || this.#active.has(rule)) return
    let started: Started | string
    try {
      started = this.#start(rule.action, `the alert ${rule.name}`)
    } catch (error) {
      started = messageOf(error)
    }
    if (typeof started === 'string') this.#ports.told(rule, 'refused', started)
    else {
      this.#active.set(rule, started)
      this.#ports.told(rule, 'done', 'its alert fires')
    }
  }

  /** Does nothing if the action is not in force. */
  end(rule: Rule, why: string): boolean {
    const started = this.#active.get(rule)
    if (started === undefined) return false
    this.#active.delete(rule)
    try {
      started.undo()
    } catch (error) {
      this.#ports.told(rule, 'refused', messageOf(error))
      return false
    }
    this.#ports.told(rule, 'undone', why)
    return true
  }

  /** To be called now and then: what was right when it was done may have become harmful. */
  look(): void {
    for (const [rule, { over }] of this.#active) {
      const why = over?.()
      if (why !== undefined) this.end(rule, why)
    }
  }

  /** @returns why not, where it cannot be done */
  #start(action: Action, by: string): Started | string {
    const { shedding, setSplit, upstreams } = this.#ports
    switch (action.kind) {
      case 'drain':
        return drain(upstreams.upstream(action.upstream), action.target, by)
      case 'split':
        return { undo: setSplit(action.route, action.shares) }
      case 'shed':
        shedding.set(action.scope, action.share)
        return { undo: () => shedding.set(action.scope, 0) }
    }
  }
}

function drain(upstream: Upstream, origin: string, by: string): Started | string {
  const target = upstream.targets.find((one) => one.origin === origin)
  if (target === undefined) return `"${origin}" is no target any more`
  if (target.draining) return `"${origin}" is draining already`
  if (!upstream.offers((one) => one !== target)) return `"${origin}" is the last target that can be used`
  // Not waited for: what it has under way it finishes.
  void upstream.drain(target, by)
  return {
    undo: () => {
      if (upstream.targets.includes(target)) upstream.undrain(target, by)
    },
    over: () => {
      if (!upstream.targets.includes(target)) return 'its target is gone'
      if (!target.draining) return 'it was taken back by hand'
      return upstream.offers(() => true) ? undefined : 'no other target is left'
    },
  }
}
