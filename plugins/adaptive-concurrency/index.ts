import fp from 'fastify-plugin'
import { limitCollectors } from './collectors.ts'
import { LimitSource } from './source.ts'

export default fp(
  async (app) => {
    const { upstreams } = app.gateway
    if (Object.values(upstreams).every(({ adaptiveConcurrency }) => !adaptiveConcurrency.enabled)) return
    const optionsOf = (upstream: string) => {
      const options = upstreams[upstream]?.adaptiveConcurrency
      return options?.enabled === true ? options : undefined
    }
    const context = { now: () => performance.now(), random: () => Math.random() }
    const source = new LimitSource(optionsOf, context)
    for (const { targets } of app.upstreams.upstreams.values()) {
      for (const target of targets) source.follow(target)
    }
    app.upstreams.onTargetChange(({ kind, target }) => {
      if (kind === 'added') source.follow(target)
      else if (kind === 'removed') source.forget(target)
    })
    app.upstreams.addHealthSource(source)
    for (const collector of limitCollectors(source)) app.upstreams.measure(collector)
  },
  { name: 'adaptive-concurrency', dependencies: ['config', 'upstreams'] },
)
