import type { Upstream, UpstreamRegistry } from '../upstreams/contract.ts'
import type { Action, Rule } from './rules/rule.ts'
import type { Shedding } from './shedding.ts'

/** Started, or why not. */
type Started = { readonly undo: () => void; readonly stillRight?: () => boolean } | { readonly why: string }

export interface ActionPorts {
  readonly upstreams: Pick<UpstreamRegistry, 'upstream'>
  readonly shedding: Shedding
  /** Throws if it cannot be done; undefined goes back to the config's. */
  setSplit(route: string, shares: Readonly<Record<string, number>> | undefined): void
  told(rule: Rule, what: 'done' | 'undone' | 'refused', why: string): void
}

/** What alerts do while they fire. Each is undone when its alert ends, when an operator says so, or when it does harm. */
export class Actions {
  readonly #ports: ActionPorts
  readonly #active = new Map<Rule, Exclude<Started, { why: string }>>()

  constructor(ports: ActionPorts) {
    this.#ports = ports
  }

  /** Rules whose action is in force. */
  get active(): readonly Rule[] {
    return [...this.#active.keys()]
  }

  start(rule: Rule): void {
    if (rule.action === undefined || this.#active.has(rule)) return
    let started: Started
    try {
      started = this.#start(rule.action)
    } catch (error) {
      started = { why: error instanceof Error ? error.message : String(error) }
    }
    if ('why' in started) this.#ports.told(rule, 'refused', started.why)
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
      this.#ports.told(rule, 'refused', error instanceof Error ? error.message : String(error))
      return false
    }
    this.#ports.told(rule, 'undone', why)
    return true
  }

  /** To be called now and then: what was right when it was done may have become harmful. */
  look(): void {
    for (const [rule, { stillRight }] of this.#active)
      if (stillRight?.() === false) this.end(rule, 'no other target is left')
  }

  #start(action: Action): Started {
    const { shedding, setSplit, upstreams } = this.#ports
    switch (action.kind) {
      case 'drain':
        return drain(upstreams.upstream(action.upstream), action.target)
      case 'split':
        setSplit(action.route, action.shares)
        return { undo: () => setSplit(action.route, undefined) }
      case 'shed':
        shedding.set(action.scope, action.share)
        return { undo: () => shedding.set(action.scope, 0) }
    }
  }
}

function drain(upstream: Upstream, origin: string): Started {
  const target = upstream.targets.find((one) => one.origin === origin)
  if (target === undefined) return { why: `"${origin}" is no target any more` }
  if (target.draining) return { why: `"${origin}" is draining already` }
  if (!upstream.eligible().some((one) => one !== target))
    return { why: `"${origin}" is the last target that can be used` }
  // Not waited for: what it has under way it finishes.
  void upstream.drain(target)
  return {
    undo: () => {
      if (upstream.targets.includes(target)) upstream.undrain(target)
    },
    stillRight: () => upstream.eligible().length > 0,
  }
}
