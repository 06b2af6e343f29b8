import type { FastifyInstance } from 'fastify'

/** How long requests under way may take to end once the drain window is over, in milliseconds. */
const LAST_MS = 5000

/**
 * fastify-cli closes the server on an error that nobody caught, as it does on a signal, and then waits for whatever the
 * error has left open, with its listeners shut, as long as `-g` allows. Such a process serves nobody, and its supervisor
 * does not know: so it ends, soon after the drain window.
 * @param drain milliseconds
 */
export function endAfterCrash(app: FastifyInstance, drain: number): void {
  let crashed = false
  const onCrash = (): void => {
    crashed = true
  }
  let listening = false
  app.addHook('onListen', async () => {
    listening = true
    // Several servers may share a process, and Node would take their listeners for a leak.
    process.setMaxListeners(process.getMaxListeners() + 1)
    // It only looks on: whoever handles the error himself, and goes on, is not closed and does not end.
    process.on('uncaughtExceptionMonitor', onCrash)
  })
  app.addHook('preClose', async () => {
    if (!crashed) return
    const withinMs = drain + LAST_MS
    // First of all: whatever comes after it may fail. And it is logged as any other line is, since pino's `fatal`
    // stops the process until the line is written, which it may never be.
    setTimeout(() => process.exit(1), withinMs).unref()
    app.log.error({ withinMs }, 'an error that nobody caught ends the process')
  })
  app.addHook('onClose', async () => {
    if (!listening) return
    process.setMaxListeners(process.getMaxListeners() - 1)
    process.off('uncaughtExceptionMonitor', onCrash)
  })
}
