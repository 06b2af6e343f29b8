import type { TestContext } from 'node:test'
import { buildGateway, startGateway } from '../support/gateway.ts'

type Options = NonNullable<Parameters<typeof startGateway>[1]>

interface Setup extends Options {
  /** Keys of the gateway: `auth`, `consumers`. */
  readonly config: object
  readonly server?: object
  /** Of the one route that takes everything. */
  readonly route?: object
  /** Routes before that one. */
  readonly routes?: readonly object[]
}

/** A gateway whose last route sends everything to `origin`. */
export async function gatewayTo(
  t: Pick<TestContext, 'after'>,
  origin: string,
  { config, server, route, routes = [], ...options }: Setup,
) {
  const gateway = await startGateway(
    {
      ...config,
      ...(server === undefined ? {} : { server }),
      upstreams: { main: { targets: [{ origin }], failover: { hedge: false } } },
      routes: [...routes, { path: '/*', upstream: 'main', ...route }],
    } as object,
    options,
  )
  // Not waited for: a closing gateway lingers, and the next test need not.
  t.after(() => {
    gateway.app.server.closeAllConnections?.()
    void gateway.app.close()
  })
  return gateway
}

/** The problems of a config with these keys, or '' if it is fine. */
export async function problemsOf(config: object): Promise<string> {
  const upstreams = { main: { targets: [{ origin: 'http://127.0.0.1:1' }] } }
  const routes = [{ path: '/*', upstream: 'main' }]
  try {
    const app = await buildGateway({ upstreams, routes, ...config })
    await app.close()
    return ''
  } catch (error) {
    return (error as Error).message
  }
}

/** Fails unless each of these lines is among the problems, with all that is found in the message. */
export async function expectProblems(config: object, lines: readonly string[]): Promise<string> {
  const problems = await problemsOf(config)
  for (const line of lines) {
    if (!problems.includes(`  ${line}`)) throw new Error(`"${line}" is not among:\n${problems}`)
  }
  return problems
}
