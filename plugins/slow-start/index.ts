import fp from 'fastify-plugin'
import { SlowStart } from './slow-start.ts'

/** A share is told anew so many times on its way, */
const STEPS = 20
/** but not more often than this: each time costs a snapshot. */
const SHORTEST_STEP_MS = 50

export default fp(
  async (app) => {
    const all = new Map<string, SlowStart>()
    const steps = new Map<SlowStart, number>()
    for (const [name, { slowStart }] of Object.entries(app.gateway.upstreams)) {
      if (slowStart === undefined) continue
      const one = new SlowStart(slowStart, () => performance.now())
      all.set(name, one)
      steps.set(one, Math.max(SHORTEST_STEP_MS, slowStart.window / STEPS))
    }
    if (all.size === 0) return

    const timers = new Map<SlowStart, NodeJS.Timeout>()
    let running = false

    const step = (one: SlowStart): void => {
      // Told before they are let go, so that the last word is a share of 1.
      const targets = [...one.ramping.keys()]
      one.retire()
      for (const target of targets) app.upstreams.changed(target)
      if (one.ramping.size > 0) return
      clearInterval(timers.get(one))
      timers.delete(one)
    }
    /** Its timer runs while someone ramps, and is not there otherwise. */
    const keepUp = (one: SlowStart): void => {
      if (!running || timers.has(one) || one.ramping.size === 0) return
      timers.set(one, setInterval(step, steps.get(one), one).unref())
    }

    app.upstreams.addHealthSource({
      name: 'slow-start',
      allows: () => true,
      share: (target) => all.get(target.upstream)?.share(target) ?? 1,
    })
    app.upstreams.onEvent((event) => {
      const one = all.get(event.upstream)
      const { target } = event
      if (one === undefined || target === undefined || !one.heard(event, target)) return
      app.upstreams.changed(target)
      keepUp(one)
    })
    app.upstreams.onTargetChange(({ kind, target }) => {
      const one = all.get(target.upstream)
      if (one === undefined) return
      if (kind === 'removed') one.forget(target)
      // What there is at the start shares the load from the start.
      else if (kind === 'added' && running && one.begin(target)) keepUp(one)
    })

    app.addHook('onReady', async () => {
      running = true
    })
    app.addHook('onClose', async () => {
      running = false
      for (const timer of timers.values()) clearInterval(timer)
      timers.clear()
    })
  },
  { name: 'slow-start', dependencies: ['config', 'upstreams'] },
)
