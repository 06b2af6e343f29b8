import { createPrivateKey, X509Certificate } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { namesOf } from './certificates-by-name.ts'
import type { Problem } from './errors.ts'

/** A certificate and its key, each as PEM text or the path of a PEM file. */
export interface CertificatePair {
  readonly cert: string
  readonly key: string
}

/** How a listener proves who it is, as the config has it. */
export interface ListenerTls extends CertificatePair {
  /** Shown to clients that ask for a name of theirs. */
  readonly more?: readonly CertificatePair[]
  readonly clientCa?: string
  /** Whether clients without a certificate of `clientCa` are let in all the same. Default `'require'`: they are not. */
  readonly clientAuth?: 'require' | 'request'
}

/** One that has been read, as PEM text, and whose key is its own. */
export interface Certificate extends CertificatePair {
  /** Hosts that it is for, in lower case; the left-most label may be `*`. */
  readonly names: readonly string[]
  /** Milliseconds since 1970. */
  readonly validFrom: number
  readonly validTo: number
}

/** The PEM text that is meant: `value` itself, or what is in the file of that name. */
export function pem(value: string): string {
  return value.includes('-----BEGIN') ? value : readFileSync(value, 'utf8')
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

/**
 * Reads `value` once. What is wrong with it is added to `problems`, and undefined returned; of what is no text at all the
 * schema has told already.
 */
export function readPem(
  value: unknown,
  { path, what, parse }: { path: string; what: string; parse: (text: string) => unknown },
  problems: Problem[],
): string | undefined {
  if (typeof value !== 'string') return undefined
  const unreadable = pemProblem(value)
  if (unreadable !== undefined) {
    problems.push({ path, message: unreadable })
    return undefined
  }
  try {
    const text = pem(value)
    parse(text)
    return text
  } catch (error) {
    problems.push({ path, message: `holds no ${what} (${reason(error)}); give one in PEM form` })
    return undefined
  }
}

/** Reads a certificate and its key. What is wrong with them is added to `problems`, and undefined returned. */
export function readCertificate(
  pair: CertificatePair,
  path: string,
  problems: Problem[],
): Certificate | undefined {
  const asCert = {
    path: `${path}.cert`,
    what: 'certificate',
    parse: (text: string) => new X509Certificate(text),
  }
  const asKey = { path: `${path}.key`, what: 'private key', parse: (text: string) => createPrivateKey(text) }
  const cert = readPem(pair.cert, asCert, problems)
  const key = readPem(pair.key, asKey, problems)
  if (cert === undefined || key === undefined) return undefined
  const certificate = new X509Certificate(cert)
  if (!certificate.checkPrivateKey(createPrivateKey(key))) {
    const message =
      "is not the key of the certificate in `cert`; the first certificate there must be the server's own"
    problems.push({ path: `${path}.key`, message })
    return undefined
  }
  try {
    createSecureContext({ cert, key })
  } catch (error) {
    problems.push({ path, message: `cannot be used (${reason(error)}); make the certificate and key anew` })
    return undefined
  }
  const validFrom = Date.parse(certificate.validFrom)
  const validTo = Date.parse(certificate.validTo)
  return { cert, key, names: namesOf(certificate.subjectAltName), validFrom, validTo }
}
