import { connect } from 'node:net'
import Fastify, { type FastifyInstance } from 'fastify'
import app from '../../app.ts'
import { serverOptions } from '../../plugins/config/server.ts'
import { readGateway } from './config.ts'
import { freePort } from './ports.ts'

/** A gateway in this process that runs `config`; `use` adds plugins as a user's own would be. */
export async function buildGateway(
  config: unknown,
  { log, use }: { log?: (line: string) => void; use?: (app: FastifyInstance) => Promise<void> } = {},
): Promise<FastifyInstance> {
  const gateway = await readGateway(config)
  const logger = log === undefined ? false : { level: 'debug', stream: { write: log } }
  const fastify = Fastify({
    ...serverOptions(gateway.config),
    logger,
  } as object) as unknown as FastifyInstance
  await fastify.register(app, { gateway })
  if (use !== undefined) await use(fastify)
  return fastify
}

/** The same, listening on a free port of the loopback. Its drain window is nothing unless the config says so. */
export async function startGateway(
  config: { server?: object },
  options: Parameters<typeof buildGateway>[1] = {},
): Promise<{ app: FastifyInstance; port: number; url: string }> {
  const quick = { ...config, server: { drain: 0, ...config.server } }
  const fastify = await buildGateway(quick, options)
  const port = await freePort()
  await fastify.listen({ port, host: '127.0.0.1' })
  return { app: fastify, port, url: `http://127.0.0.1:${port}` }
}

/** Sends bytes as they are over a connection of its own and returns all that comes back until it closes. */
export function rawRequest(port: number, bytes: string, { timeoutMs = 2000 } = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    let received = ''
    socket.setTimeout(timeoutMs, () => socket.destroy())
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1')
    })
    socket.on('error', reject)
    socket.on('close', () => resolve(received))
    socket.write(bytes, 'latin1')
  })
}
