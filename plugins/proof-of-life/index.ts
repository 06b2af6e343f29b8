import fp from 'fastify-plugin'
import { ProofOfLife } from './source.ts'

export default fp(
  async (app) => {
    const { upstreams } = app.gateway
    const optionsOf = (upstream: string) => {
      const options = upstreams[upstream]?.proofOfLife
      return options?.enabled === true ? options : undefined
    }
    const source = new ProofOfLife({ now: () => performance.now() }, optionsOf)
    app.upstreams.addHealthSource(source)
    app.upstreams.onTargetChange((change) => source.onTargetChange(change))
    app.upstreams.onEvent((event) => source.onEvent(event))
  },
  { name: 'proof-of-life', dependencies: ['config', 'upstreams'] },
)
