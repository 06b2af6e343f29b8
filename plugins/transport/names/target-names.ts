import type { LookupFunction } from 'node:net'
import type { FastifyInstance } from 'fastify'
import type { PolicyContext, Target } from '../../upstreams/contract.ts'
import { nameCollectors } from './collectors.ts'
import { Names } from './names.ts'
import { askSystem, lookupBy, lookupSlots, nameOf } from './system.ts'

/**
 * Has the names of all targets looked up for as long as there is a target of that name.
 * @param keepOnly hears of each target which addresses its name has; connections to others are to be retired
 * @returns what its connections are opened with
 */
export function resolveTargets(
  app: FastifyInstance,
  context: PolicyContext,
  keepOnly: (target: Target, addresses: ReadonlySet<string>) => void,
): LookupFunction {
  const { upstreams } = app
  const targets = new Map<string, Set<Target>>()
  const names = new Names({
    context,
    after(ms, run) {
      const timer = setTimeout(run, ms).unref()
      return () => clearTimeout(timer)
    },
    find: askSystem,
    slots: lookupSlots(),
    turned(name, event) {
      for (const target of targets.get(name) ?? [])
        upstreams.announce({ ...event, upstream: target.upstream, target, by: 'names' })
    },
    has(name, addresses) {
      for (const target of targets.get(name) ?? []) keepOnly(target, addresses)
    },
  })

  const watch = (target: Target): void => {
    const name = nameOf(target.origin)
    if (name === undefined) return
    targets.set(name, (targets.get(name) ?? new Set()).add(target))
    names.hold(name)
  }
  const forget = (target: Target): void => {
    const name = nameOf(target.origin)
    if (name === undefined || targets.get(name)?.delete(target) !== true) return
    if (targets.get(name)?.size === 0) targets.delete(name)
    names.letGo(name)
  }
  for (const { targets } of upstreams.upstreams.values()) for (const target of targets) watch(target)
  upstreams.onTargetChange(({ kind, target }) => {
    if (kind === 'added') watch(target)
    else if (kind === 'removed') forget(target)
  })

  for (const collector of nameCollectors(names, context.now)) upstreams.measure(collector)
  // Nothing waits for them: who connects before the first answer does.
  app.addHook('onListen', async () => names.start())
  // Not later: Node ends only when look-ups that hang are over (libuv joins its threads), and a drain gives them time.
  app.addHook('preClose', async () => names.stop())
  return lookupBy(names)
}
