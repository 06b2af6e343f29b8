import { type ActionPorts, Actions } from './actions.ts'
import type { Alert } from './engine/alert.ts'
import type { Sources } from './engine/counters.ts'
import { type Change, Engine } from './engine/engine.ts'
import { type Receiver, type ReceiverPorts, receiversOf } from './notify/receivers.ts'
import { type Silence, Silences } from './notify/silences.ts'
import type { AlertsConfig } from './rules/compile.ts'
import type { Rule } from './rules/rule.ts'

export interface ServicePorts extends Omit<ReceiverPorts, 'silenced'>, Omit<ActionPorts, 'told'> {
  /** Which gateway this is: the label `instance`. Its port is known when it listens. */
  instance(): string
  changed(change: Change): void
  acted: ActionPorts['told']
}

/** Rules, those who are told, silences and actions, together; in whatever time its clock tells. */
export class AlertService {
  readonly silences: Silences
  readonly actions: Actions
  readonly receivers: readonly Receiver[]
  readonly #engine: Engine
  readonly #ports: ServicePorts

  /** @param silences those of the config */
  constructor(
    config: AlertsConfig,
    rules: readonly Rule[],
    silences: readonly Pick<Silence, 'where' | 'until' | 'comment'>[],
    sources: Sources,
    ports: ServicePorts,
  ) {
    this.#ports = ports
    this.#engine = new Engine(rules, sources, config.evaluateEvery, ports.instance)
    this.silences = new Silences(silences)
    this.actions = new Actions({ ...ports, told: ports.acted })
    this.receivers = receiversOf(config, { ...ports, silenced: (alert) => this.silenced(alert) })
  }

  get alerts(): readonly Alert[] {
    return this.#engine.alerts
  }

  /** Milliseconds for which the numbers have been watched without a break. */
  get watchedMs(): number {
    return this.#engine.watchedMs
  }

  silenced({ labels }: Alert): boolean {
    return this.silences.silenced(labels, this.#ports.timeOfDay())
  }

  /** Evaluates every rule once, and does and tells what follows. */
  round(): void {
    const { now, timeOfDay, changed } = this.#ports
    for (const change of this.#engine.round(now(), timeOfDay())) {
      changed(change)
      const { rule } = change.alert
      if (change.kind === 'fired') this.actions.start(rule)
      else this.actions.end(rule, 'its alert is resolved')
      for (const receiver of this.receivers) receiver.hear(change, now())
    }
    this.actions.look()
    for (const receiver of this.receivers) receiver.wake()
  }

  /** Tells what has not been told yet, whatever its time, and resolves when it is told or has failed. */
  async finish(): Promise<void> {
    await Promise.all(this.receivers.map((receiver) => receiver.finish()))
  }

  giveUp(): void {
    for (const receiver of this.receivers) receiver.giveUp()
  }
}
