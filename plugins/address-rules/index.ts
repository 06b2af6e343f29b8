import fp from 'fastify-plugin'
import { addressDenied } from './errors.ts'
import { addressRule } from './rule.ts'

/** Label of the denials by the rule of the gateway as a whole. */
const GATEWAY = '*'

export default fp(
  async (app) => {
    const denials = new Map<string, { count: number }>()
    const { addresses } = app.gateway
    const routed = app.gateway.routes.some((route) => route.addresses !== undefined)
    if (addresses === undefined && !routed) return

    if (addresses !== undefined) {
      const mayCome = addressRule(addresses)
      const denied = { count: 0 }
      denials.set(GATEWAY, denied)
      app.addHook('onRequest', (request, _reply, done) => {
        if (mayCome(request.ip)) return done()
        denied.count++
        done(addressDenied())
      })
    }

    // Not a dependency on the routing: the hook above has to come before the routing's own, which runs the guards.
    app.addHook('onReady', async () => {
      app.addGuard({
        name: 'address-rules',
        stage: 'address',
        forRoute({ name, config }) {
          if (config.addresses === undefined) return undefined
          const mayCome = addressRule(config.addresses)
          const denied = { count: 0 }
          denials.set(name, denied)
          return ({ ip }) => {
            if (mayCome(ip)) return
            denied.count++
            throw addressDenied()
          }
        },
      })
    })
    app.upstreams.measure({
      name: 'address_denials_total',
      help: 'Requests that were refused for the address that they came from; the route "*" is the rule for all.',
      type: 'counter',
      labels: ['route'],
      collect(add) {
        for (const [route, { count }] of denials) add(count, route)
      },
    })
  },
  { name: 'address-rules', dependencies: ['config', 'upstreams'] },
)
