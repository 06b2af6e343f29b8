import { pem, pemProblem } from './certificate.ts'
import type { Problem } from './errors.ts'
import { flag, object, optional, text, withDefault } from './kit.ts'
import type { Resolved } from './typed.ts'

/** PEM text, or the path of a PEM file. */
const file = text({
  minLength: 1,
  remedy: 'give PEM text or the path of a PEM file',
})

/** TLS to a server that the gateway connects to. */
export const clientTls = object({
  /** Authorities to trust instead of the system's. */
  ca: optional(file),
  /** Client certificate, with `key`. */
  cert: optional(file),
  key: optional(file),
  /** Name to ask for (SNI) and to verify. Default: the server's host. */
  serverName: optional(text({ minLength: 1 })),
  /** `false` trusts anyone who answers: only for a test bench. Default true. */
  verify: withDefault(flag(), true),
})

export type ClientTls = Resolved<typeof clientTls>

/** As node:tls takes them. Verification is on unless the config says that it is not. */
export function clientTlsOptions(tls: ClientTls | undefined) {
  return {
    rejectUnauthorized: tls?.verify ?? true,
    ...(tls?.ca === undefined ? {} : { ca: pem(tls.ca) }),
    ...(tls?.cert === undefined ? {} : { cert: pem(tls.cert) }),
    ...(tls?.key === undefined ? {} : { key: pem(tls.key) }),
    ...(tls?.serverName === undefined ? {} : { servername: tls.serverName }),
  }
}

/** What a schema cannot say of them. */
export function clientTlsProblems(tls: ClientTls, path: string): Problem[] {
  const problems: Problem[] = []
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    problems.push({ path, message: '`cert` and `key` go together; set both' })
  }
  for (const key of ['ca', 'cert', 'key'] as const) {
    const value = tls[key]
    const message = value === undefined ? undefined : pemProblem(value)
    if (message !== undefined) problems.push({ path: `${path}.${key}`, message })
  }
  return problems
}
