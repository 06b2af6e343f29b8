import fp from 'fastify-plugin'
import { limitCollectors } from './collectors.ts'
import { LimitSource } from './source.ts'

export default fp(
  async (app) => {
    const { upstreams } = app.gateway
    if (Object.values(upstreams).every(({ adaptiveConcurrency }) => adaptiveConcurrency === undefined)) return
    const context = { now: () => performance.now(), random: () => Math.random() }
    const source = new LimitSource((name) => upstreams[name]?.adaptiveConcurrency, context)
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
