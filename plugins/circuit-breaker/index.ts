import fp from 'fastify-plugin'
import { breakerCollectors } from './collectors.ts'
import { BreakerSource } from './source.ts'

/** Breakers whose time comes within this many milliseconds of each other are woken together. */
const TOGETHER_MS = 10

export default fp(
  async (app) => {
    const { upstreams } = app.gateway
    if (Object.values(upstreams).every(({ circuitBreaker }) => !circuitBreaker.enabled)) return
    const optionsOf = (upstream: string) => {
      const options = upstreams[upstream]?.circuitBreaker
      return options?.enabled === true ? options : undefined
    }
    const context = { now: () => performance.now(), random: () => Math.random() }

    // One timer, for the breaker that is due next; there is none while all are closed.
    let timer: NodeJS.Timeout | undefined
    let wakesAt = Number.POSITIVE_INFINITY
    let over = false
    const wakeAt = (time: number): void => {
      if (time >= wakesAt || over) return
      clearTimeout(timer)
      wakesAt = time
      timer = setTimeout(wake, Math.max(TOGETHER_MS, Math.ceil(time - context.now()))).unref()
    }
    const wake = (): void => {
      wakesAt = Number.POSITIVE_INFINITY
      wakeAt(source.wake())
    }
    const source = new BreakerSource(optionsOf, app.upstreams, context, wakeAt)
    for (const { targets } of app.upstreams.upstreams.values()) {
      for (const target of targets) source.follow(target)
    }
    app.upstreams.onTargetChange(({ kind, target }) => {
      if (kind === 'added') source.follow(target)
      else if (kind === 'removed') source.forget(target)
    })
    app.upstreams.onEvent((event) => source.heard(event))
    app.upstreams.addHealthSource(source)
    const collectors = breakerCollectors(
      () => source.targets,
      (target) => source.state(target),
    )
    for (const collector of collectors) app.upstreams.measure(collector)
    app.addHook('onClose', async () => {
      over = true
      clearTimeout(timer)
    })
  },
  { name: 'circuit-breaker', dependencies: ['config', 'upstreams'] },
)
