import { join } from 'node:path'
import autoload from '@fastify/autoload'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { believeProxies } from './plugins/config/believed.ts'
import { ConfigError } from './plugins/config/errors.ts'
import { type LoadedGateway, loadGateway } from './plugins/config/load.ts'
import { isFastifyCli } from './plugins/config/ports.ts'
import { serverOptions } from './plugins/config/server.ts'
import { collectLocalRoutes, restoreRequests } from './plugins/routing/local.ts'

/** The config that this process runs, unless a test hands `app` another. */
const gateway = await loadGateway()

/** What `fastify start -o` creates the server with. */
export const options = serverOptions(gateway.config)

/** The composition root: every file or folder in `plugins/`, then every file in `routes/`. */
async function compose(fastify: FastifyInstance, opts: { readonly gateway?: LoadedGateway }): Promise<void> {
  const loaded = opts.gateway ?? gateway
  restoreRequests(fastify)
  believeProxies(fastify, loaded.config.server.trustProxy)
  const local = collectLocalRoutes(fastify, loaded.config.routes)
  await fastify.register(autoload, {
    dir: join(import.meta.dirname, 'plugins'),
    maxDepth: 1,
    options: { gateway: loaded, local },
  })
  await fastify.register(autoload, { dir: join(import.meta.dirname, 'routes'), options: {} })
  await fastify.serveRoutes()
  const problems = fastify.gatewayProblems()
  if (problems.length > 0) throw new ConfigError(loaded.file, problems)
}

/** `fastify start` catches nothing, and Node would print the list twice, below a line of its own source. */
function refuse(error: unknown): never {
  if (!(error instanceof ConfigError) || !isFastifyCli(process.argv[1])) throw error
  console.error(error.message)
  process.exit(1)
}

// No context of its own: what plugins decorate is found on the server itself, by `rewriteUrl` too.
export default fp<{ gateway?: LoadedGateway }>(
  async (fastify, opts) => {
    await compose(fastify, opts).catch(refuse)
  },
  { name: 'holdfast' },
)
