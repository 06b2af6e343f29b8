import fp from 'fastify-plugin'
import { openTogether } from './bind.ts'
import { type Certificates, certificatesOf } from './certificates.ts'
import { endAfterCrash } from './crash.ts'
import type { GatewayConfig } from './define.ts'
import type { Problem } from './errors.ts'
import type { LoadedGateway } from './load.ts'
import { tellOfRequestEnds } from './request-end.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** The config: checked, complete, frozen. */
    gateway: GatewayConfig
    /** What the gateway shows of itself, to clients and to targets. */
    certificates: Certificates
    /**
     * Adds a check that needs the plugins to be loaded, such as of names that plugins define. It is handed
     * the config as it was written and may find it wrong in other places too.
     */
    checkGateway(check: (written: GatewayConfig) => readonly Problem[]): void
    /** Every problem: those found on reading, and those that the added checks find. */
    gatewayProblems(): Problem[]
  }
}

export default fp<{ gateway: LoadedGateway }>(
  async (app, { gateway }) => {
    const checks: ((written: GatewayConfig) => readonly Problem[])[] = []
    openTogether(app.server, gateway.ports)
    tellOfRequestEnds(app)
    endAfterCrash(app, gateway.config.server.drain)
    app.decorate('gateway', gateway.config)
    app.decorate('certificates', certificatesOf(app.server))
    app.decorate('checkGateway', (check: (written: GatewayConfig) => readonly Problem[]) => {
      checks.push(check)
    })
    app.decorate('gatewayProblems', () => {
      const problems = [...gateway.problems]
      for (const check of checks) {
        try {
          problems.push(...check(gateway.written))
        } catch (error) {
          // As on reading: what the schema has refused may trip a check, which then has nothing to add.
          if (gateway.problems.length === 0) throw error
        }
      }
      return problems
    })
  },
  { name: 'config' },
)
