import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import fp from 'fastify-plugin'

function start(port: number): Promise<ChildProcess> {
  return new Promise((resolve, reject) => {
    const child = fork(join(import.meta.dirname, 'target.ts'), [String(port)], { execArgv: [] })
    child.once('message', (message: { error?: string }) => {
      if (message.error === undefined) resolve(child)
      else reject(new Error(`sample target: ${message.error}; free the port or change \`samples\``))
    })
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`sample target on port ${port} ended with code ${code}`)))
  })
}

/** Starts the sample targets of the config, each a process of its own, and ends them with the gateway. */
export default fp(
  async (app) => {
    const ports = app.gateway.samples ?? []
    if (ports.length === 0) return
    let children: ChildProcess[] = []
    app.addHook('onReady', async () => {
      children = await Promise.all(ports.map(start))
      for (const [index, child] of children.entries()) {
        const port = ports[index]
        app.log.info({ port, targetPid: child.pid }, `sample target on http://127.0.0.1:${port}`)
        child.once('exit', () => app.log.warn({ port, targetPid: child.pid }, 'sample target ended'))
      }
    })
    app.addHook('onClose', async () => {
      for (const child of children) {
        child.removeAllListeners('exit')
        if (child.connected) child.disconnect()
      }
    })
  },
  { name: 'samples', dependencies: ['config'] },
)
