import { constants, createPrivateKey, X509Certificate } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import type { Problem } from './errors.ts'

/** How a listener proves who it is, as the config has it. */
export interface ListenerTls {
  readonly cert: string
  readonly key: string
  readonly clientCa?: string
  /** Whether clients without a certificate of `clientCa` are let in all the same. Default `'require'`: they are not. */
  readonly clientAuth?: 'require' | 'request'
}

const DAY_MS = 86_400_000

/** The PEM text that is meant: `value` itself, or what is in the file of that name. */
export function pem(value: string): string {
  return value.includes('-----BEGIN') ? value : readFileSync(value, 'utf8')
}

/** TLS options as `node:tls` takes them. Below TLS 1.2 nothing is spoken. */
export function listenerTlsOptions(tls: ListenerTls) {
  return {
    cert: pem(tls.cert),
    key: pem(tls.key),
    minVersion: 'TLSv1.2' as const,
    // Whom a connection belongs to does not change under way. TLS 1.3 has no renegotiation any more.
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
    ...(tls.clientCa === undefined
      ? {}
      : { ca: pem(tls.clientCa), requestCert: true, rejectUnauthorized: tls.clientAuth !== 'request' }),
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? (error.message.split('\n')[0] as string) : String(error)
}

/** Only what is a path for certain is shown: the rest may be a key that has lost its first line. */
const PATH = /^\.{0,2}\/|\.(?:pem|crt|cer|key|pub)$/i

/** Why `value` is neither PEM text nor a file that can be read, with the remedy, or undefined if it is one. */
export function pemProblem(value: string): string | undefined {
  if (value.includes('-----BEGIN')) return undefined
  if (!existsSync(value)) {
    const found = PATH.test(value) ? `no file "${value}"` : 'is neither PEM text nor a file that there is'
    return `${found}; give PEM text or the path of a PEM file`
  }
  try {
    readFileSync(value)
    return undefined
  } catch (error) {
    return `"${value}" cannot be read (${reason(error)}); let the gateway's user read it`
  }
}

/** What is wrong with a listener's certificate, key or client authority; `path` is where they stand. */
export function tlsProblems(tls: ListenerTls, path: string): Problem[] {
  const problems: Problem[] = []
  const look = (key: keyof ListenerTls, what: string, parse: (text: string) => unknown): void => {
    const value = tls[key]
    if (value === undefined) return
    const unreadable = pemProblem(value)
    if (unreadable !== undefined) {
      problems.push({ path: `${path}.${key}`, message: unreadable })
      return
    }
    try {
      parse(pem(value))
    } catch (error) {
      problems.push({
        path: `${path}.${key}`,
        message: `holds no ${what} (${reason(error)}); give one in PEM form`,
      })
    }
  }
  look('cert', 'certificate', (text) => new X509Certificate(text))
  look('key', 'private key', (text) => createPrivateKey(text))
  look('clientCa', 'certificate', (text) => new X509Certificate(text))
  if (tls.clientAuth === 'request' && tls.clientCa === undefined) {
    const message = 'asks for certificates of nobody; give a `clientCa`, or take this out'
    problems.push({ path: `${path}.clientAuth`, message })
  }
  if (problems.length > 0) return problems
  if (!new X509Certificate(pem(tls.cert)).checkPrivateKey(createPrivateKey(pem(tls.key)))) {
    const message =
      "is not the key of the certificate in `cert`; the first certificate there must be the server's own"
    return [{ path: `${path}.key`, message }]
  }
  try {
    createSecureContext(listenerTlsOptions(tls))
    return []
  } catch (error) {
    return [{ path, message: `cannot be used (${reason(error)}); make the certificate and key anew` }]
  }
}

/** Whole days until a listener's certificate ends; below 0 once it has. */
export function daysLeft(tls: ListenerTls, now: number): number {
  const certificate = new X509Certificate(pem(tls.cert))
  return Math.floor((Date.parse(certificate.validTo) - now) / DAY_MS)
}
