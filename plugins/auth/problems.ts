import type { GatewayConfig } from '../config/define.ts'
import type { Problem } from '../config/errors.ts'
import { written } from '../config/messages.ts'
import { suggestion } from '../config/suggest.ts'
import { apiKeyProblems } from './api-key/keys.ts'
import { hashKey } from './api-key/node.ts'
import type { Consumer, Consumers } from './consumers.ts'
import { certificateProblems } from './mtls/certificates.ts'
import { signingKeyProblems } from './signature/keys.ts'
import { publicKeyProblem } from './signature/node.ts'

/** Headers that mean something else to those who read them. */
const TAKEN: ReadonlySet<string> = new Set([
  'authorization',
  'connection',
  'content-length',
  'content-type',
  'cookie',
  'host',
  'transfer-encoding',
])

/** What consumers have to have, for each kind that tells them apart. */
const CREDENTIALS = {
  'api-key': { key: 'apiKeys', has: ({ apiKeys }: Consumer) => apiKeys.length > 0 },
  basic: { key: 'password', has: ({ password }: Consumer) => password !== undefined },
  mtls: { key: 'certificates', has: ({ certificates }: Consumer) => certificates.length > 0 },
  signature: { key: 'signingKeys', has: ({ signingKeys }: Consumer) => signingKeys.length > 0 },
} as const

type Kind = keyof typeof CREDENTIALS

/** Credentials that no kind looks at, and kinds that nobody has a credential for. */
function unusedProblems(auth: NonNullable<GatewayConfig['auth']>, consumers: Consumers): Problem[] {
  const problems: Problem[] = []
  for (const [kind, { key, has }] of Object.entries(CREDENTIALS) as [Kind, (typeof CREDENTIALS)[Kind]][]) {
    const setUp = auth[kind] !== undefined
    const owners = Object.entries(consumers).filter(([, one]) => has(one))
    if (setUp && owners.length === 0) {
      const message = `nobody could come in by it: no consumer has \`${key}\`; give them to one, or take this out`
      problems.push({ path: written('auth', kind), message })
    }
    if (setUp) continue
    for (const [name] of owners) {
      const message = `does nothing without \`${written('auth', kind)}\`; add that, or take this out`
      problems.push({ path: written('consumers', name, key), message })
    }
  }
  return problems
}

interface Listening {
  readonly listeners?: readonly { readonly tls?: { readonly clientCa?: string } }[]
}

/** Whether some listener asks its clients for certificates. */
function asksForCertificates(config: GatewayConfig): boolean {
  // The plugin of further listeners may have been taken out.
  const { server, listeners = [] } = config as Pick<GatewayConfig, 'server'> & Listening
  return [server.tls, ...listeners.map(({ tls }) => tls)].some((tls) => tls?.clientCa !== undefined)
}

function mtlsProblems(config: GatewayConfig): Problem[] {
  const { auth, routes, server } = config
  if (auth?.mtls === undefined) return []
  if (auth.mtls.fromProxies) {
    if (server.trustProxy.length > 0) return []
    const message = 'believes nobody, since `server.trustProxy` is empty; name the proxies there'
    return [{ path: 'auth.mtls.fromProxies', message }]
  }
  if (asksForCertificates(config)) return []
  const message =
    'accepts "mtls", but no listener asks for certificates; give `server.tls` or one of `listeners` a `clientCa`'
  return routes.flatMap((route, i) =>
    [route.auth?.accept ?? []].flat().includes('mtls')
      ? [{ path: written('routes', i, 'auth'), message }]
      : [],
  )
}

/** Issuers that may name certain consumers, where there is no such consumer, or no claim that says it. */
function namingProblems(auth: Partial<NonNullable<GatewayConfig['auth']>>, consumers: Consumers): Problem[] {
  const { jwt, introspection } = auth
  const namers = [
    ...(jwt?.issuers ?? []).map((issuer, i) => [written('auth', 'jwt', 'issuers', i), issuer] as const),
    ...(introspection === undefined ? [] : [[written('auth', 'introspection'), introspection] as const]),
  ]
  return namers.flatMap(([path, { consumer, consumers: names }]) => {
    if (names === undefined) return []
    if (consumer === undefined) {
      const message = 'does nothing without `consumer`, the claim that names one of them; add that'
      return [{ path: `${path}.consumers`, message }]
    }
    return names.flatMap((name, i) =>
      Object.hasOwn(consumers, name)
        ? []
        : [
            {
              path: `${path}.consumers[${i}]`,
              message: `there is no consumer "${name}"; ${suggestion(name, Object.keys(consumers))}`,
            },
          ],
    )
  })
}

/** What the schema cannot say of consumers and of the kinds that know them. */
export function consumerProblems(config: GatewayConfig): Problem[] {
  const { auth, consumers } = config
  const problems = [
    ...apiKeyProblems(consumers, hashKey),
    ...certificateProblems(consumers),
    ...signingKeyProblems(consumers, publicKeyProblem),
    ...unusedProblems(auth ?? ({} as NonNullable<typeof auth>), consumers),
    ...mtlsProblems(config),
    ...namingProblems(auth ?? {}, consumers),
  ]
  const header = auth?.['api-key']?.header.toLowerCase() ?? ''
  if (TAKEN.has(header)) {
    const message = `is a header that means something else; take one like "x-api-key"`
    problems.push({ path: written('auth', 'api-key', 'header'), message })
  }
  return problems
}
