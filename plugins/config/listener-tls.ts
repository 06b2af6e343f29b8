import { constants, X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import {
  type Certificate,
  type CertificatePair,
  type ListenerTls,
  readCertificate,
  readPem,
} from './certificate.ts'
import type { Problem } from './errors.ts'

/** What a listener shows and whom it trusts: read, and found to be fit. */
export interface ReadTls {
  /** The first is shown where a client asks for no name, or for one that none of them has. */
  readonly certificates: readonly Certificate[]
  /** PEM text. */
  readonly clientCa: string | undefined
  readonly clientAuth: 'require' | 'request'
}

/** Where the config has the certificate that is at `index` of all that a listener has. */
export function placeOf(path: string, index: number): string {
  return index === 0 ? path : `${path}.more[${index - 1}]`
}

/** Every certificate of a listener, with its place. */
function placesOf(tls: ListenerTls, path: string): (readonly [pair: CertificatePair, place: string])[] {
  return [tls, ...(tls.more ?? [])].map((pair, index) => [pair, placeOf(path, index)] as const)
}

function readClientCa(value: string | undefined, path: string, problems: Problem[]): string | undefined {
  if (value === undefined) return undefined
  const parse = (text: string): void => {
    new X509Certificate(text)
    createSecureContext({ ca: text })
  }
  return readPem(value, { path: `${path}.clientCa`, what: 'certificate', parse }, problems)
}

/** Certificates among which a name does not choose. Those that could not be read are left aside. */
function nameProblems(certificates: readonly (Certificate | undefined)[], path: string): Problem[] {
  const problems: Problem[] = []
  const places = new Map<string, string>()
  for (const [index, certificate] of certificates.entries()) {
    if (certificate === undefined) continue
    const place = `${placeOf(path, index)}.cert`
    if (index > 0 && certificate.names.length === 0) {
      const message =
        'has no DNS name (subjectAltName), so that nobody would be shown it; issue one with names'
      problems.push({ path: place, message })
    }
    const taken = new Map<string, string[]>()
    for (const name of certificate.names) {
      const other = places.get(name)
      if (other === undefined) places.set(name, place)
      else taken.set(other, [...(taken.get(other) ?? []), name])
    }
    for (const [other, names] of taken) {
      const message = `is for ${names.join(', ')}, and so is ${other}; take one of them out`
      problems.push({ path: place, message })
    }
  }
  return problems
}

/** Reads all that a listener has. Where there are problems, there is nothing to serve. */
export function readTls(tls: ListenerTls, path: string): { tls?: ReadTls; problems: Problem[] } {
  const problems: Problem[] = []
  const read = placesOf(tls, path).map(([pair, place]) => readCertificate(pair, place, problems))
  const clientCa = readClientCa(tls.clientCa, path, problems)
  if (tls.clientAuth !== undefined && tls.clientCa === undefined) {
    const message = 'asks for certificates of nobody; give a `clientCa`, or take this out'
    problems.push({ path: `${path}.clientAuth`, message })
  }
  problems.push(...nameProblems(read, path))
  if (problems.length > 0) return { problems }
  const certificates = read.filter((one) => one !== undefined)
  return { tls: { certificates, clientCa, clientAuth: tls.clientAuth ?? 'require' }, problems }
}

/** What is wrong with a listener's certificates, keys or client authority; `path` is where they stand. */
export function tlsProblems(tls: ListenerTls, path: string): Problem[] {
  return readTls(tls, path).problems
}

/** Why clients would refuse a certificate today. */
function timeProblem({ validFrom, validTo }: Certificate, now: number): string | undefined {
  const day = (time: number): string => new Date(time).toISOString()
  if (validTo <= now) return `has expired (${day(validTo)}); put one there that has not`
  if (validFrom > now) return `holds from ${day(validFrom)} on; put it there then`
  return undefined
}

const same = (a: CertificatePair, b: CertificatePair): boolean => a.cert === b.cert && a.key === b.key

/**
 * Reads again what `served` was read from. Whatever is not fit stays as it is served, with a problem that says why; the
 * others do not wait for it.
 * @returns `served` itself where nothing has changed
 */
export function renewTls(
  served: ReadTls,
  tls: ListenerTls,
  path: string,
  now: number,
): { tls: ReadTls; problems: Problem[] } {
  const problems: Problem[] = []
  const certificates = placesOf(tls, path).map(([pair, place], index) => {
    const old = served.certificates[index] as Certificate
    const read = readCertificate(pair, place, problems)
    if (read === undefined || same(read, old)) return old
    const message = timeProblem(read, now)
    if (message === undefined) return read
    problems.push({ path: `${place}.cert`, message })
    return old
  })
  const clientCa = readClientCa(tls.clientCa, path, problems) ?? served.clientCa
  const fresh = { ...served, certificates, clientCa }
  const clashes = nameProblems(certificates, path)
  if (clashes.length > 0) return { tls: served, problems: [...problems, ...clashes] }
  const unchanged =
    clientCa === served.clientCa && certificates.every((one, index) => one === served.certificates[index])
  return { tls: unchanged ? served : fresh, problems }
}

/** As `node:tls` takes what is shown with this certificate. Below TLS 1.2 nothing is spoken. */
export function contextOptions(tls: ReadTls, { cert, key }: CertificatePair) {
  // Whom a connection belongs to does not change under way. TLS 1.3 has no renegotiation any more.
  let secureOptions = constants.SSL_OP_NO_RENEGOTIATION
  // OpenSSL takes a session of one name up again under another (against RFC 6066, 3), without having shown the
  // certificate for it, and asks nobody before. Without tickets there are no sessions to take up.
  if (tls.certificates.length > 1) secureOptions |= constants.SSL_OP_NO_TICKET
  return {
    cert,
    key,
    minVersion: 'TLSv1.2' as const,
    secureOptions,
    ...(tls.clientCa === undefined ? {} : { ca: tls.clientCa }),
  }
}
