import { suggestion } from '../../config/suggest.ts'
import { ADDRESSES } from '../notify/receiver-options.ts'
import type { AlertsConfig } from './compile.ts'

/** Says what is wrong, and where. */
export type Say = (message: string, ...steps: readonly (string | number)[]) => void

/** Labels that each rule has by itself. */
export const OWN_LABELS = ['alertname', 'severity', 'route', 'upstream']

/** Why there is no alert with such a label, or undefined. @param rules as they are written, or compiled */
export function unknownLabel(
  name: string,
  rules: readonly { readonly labels: Readonly<Record<string, string>> }[],
): string | undefined {
  const labels = new Set([...OWN_LABELS, 'instance', ...rules.flatMap((rule) => Object.keys(rule.labels))])
  return labels.has(name) ? undefined : `no rule has a label "${name}"; ${suggestion(name, labels)}`
}

/** Headers that the gateway sets itself, or that `fetch` sets or refuses. */
const OWN_HEADERS =
  /^(connection|content-length|content-type|expect|host|keep-alive|transfer-encoding|upgrade)$/i

/** Who is told, of what together with what else, and of what not: what a schema cannot say of it. */
export function receiverProblems({ notify, groupBy, rules, silences }: AlertsConfig, say: Say): void {
  for (const [i, receiver] of notify.entries()) {
    const given = ADDRESSES.filter((name) => receiver[name] !== undefined)
    if (given.length === 0)
      say(
        `has no address; give it one of ${ADDRESSES.join(', ')} (if it is from the environment, set the variable)`,
        'notify',
        i,
      )
    if (given.length > 1)
      say(`has ${given.length} addresses (${given.join(', ')}); write an entry for each`, 'notify', i)
    for (const kind of ['webhook', 'slack', 'alertmanager'] as const)
      for (const name of Object.keys(receiver[kind]?.headers ?? {}))
        if (OWN_HEADERS.test(name))
          say('is set by the gateway itself; take it out', 'notify', i, kind, 'headers', name)
    if (receiver.alertmanager !== undefined && !receiver.resolved)
      say(
        'says nothing to an Alertmanager, where an alert that is not told of ends all the same; take it out, and set `send_resolved: false` there',
        'notify',
        i,
        'resolved',
      )
  }
  const known = (name: string, ...steps: readonly (string | number)[]): void => {
    const why = unknownLabel(name, rules)
    if (why !== undefined) say(why, ...steps)
  }
  for (const [i, name] of groupBy.entries()) known(name, 'groupBy', i)
  for (const [i, { where }] of notify.entries())
    for (const name of Object.keys(where)) known(name, 'notify', i, 'where', name)
  for (const [i, { where }] of silences.entries())
    for (const name of Object.keys(where)) known(name, 'silences', i, 'where', name)
}
