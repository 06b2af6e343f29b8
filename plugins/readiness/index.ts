import { setTimeout as sleep } from 'node:timers/promises'
import fp from 'fastify-plugin'
import { LINGER_MS } from '../config/close.ts'
import { closeGrace, commandLine, graceProblem } from '../config/close-grace.ts'
import { isFastifyCli } from '../config/ports.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Whether new requests are welcome, and if not, why. */
    readiness(): { ready: true } | { ready: false; reason: string }
    /**
     * The gateway is not ready as long as `waits` says so, which is asked each time. For what is missing in this gateway
     * and not in others: what they would all miss together must not take all of them out.
     * @param reason told at `endpoints.ready`, where strangers may read it
     */
    notReadyWhile(reason: string, waits: () => boolean): void
  }
}

export default fp(
  async (app) => {
    let state: 'starting' | 'up' | 'draining' = 'starting'
    let listening = false

    const usable = (): boolean => {
      const upstreams = [...app.upstreams.upstreams.values()]
      return upstreams.length === 0 || upstreams.some((upstream) => upstream.eligible().length > 0)
    }

    const waiting: { readonly reason: string; waits(): boolean }[] = []
    app.decorate('notReadyWhile', (reason, waits) => void waiting.push({ reason, waits }))
    app.decorate('readiness', () => {
      if (state !== 'up') return { ready: false, reason: state } as const
      const missing = waiting.find(({ waits }) => waits())
      if (missing !== undefined) return { ready: false, reason: missing.reason } as const
      return usable() ? ({ ready: true } as const) : ({ ready: false, reason: 'no target' } as const)
    })

    app.addHook('onReady', async () => {
      state = 'up'
    })
    app.addHook('onListen', async () => {
      listening = true
      const args = isFastifyCli(process.argv[1]) ? commandLine() : undefined
      if (args === undefined || process.env.NODE_ENV === 'development') return
      const problem = graceProblem(closeGrace(args, process.env), app.gateway.server.drain)
      // No line of the log: started by hand, fastify-cli writes none.
      if (problem !== undefined) process.emitWarning(problem, 'HoldfastWarning')
    })
    // Fastify says `connection: close` on every answer from here on, and still takes requests.
    app.addHook('preClose', async () => {
      state = 'draining'
      const { drain } = app.gateway.server
      // `npm run dev`: whoever saves a file wants to see the change, and nobody is being drained.
      if (!listening || drain === 0 || process.env.NODE_ENV === 'development') return
      app.log.info({ drainMs: drain }, 'draining: requests are still taken; a second signal stops at once')
      await sleep(drain)
    })
    app.addHook('onClose', async () => {
      // Answers may still be on their way through the kernel: leaving at once would reset their connections.
      if (listening) await sleep(LINGER_MS)
    })
  },
  { name: 'readiness', dependencies: ['config', 'upstreams'] },
)
