import { X509Certificate } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Http2ServerRequest } from 'node:http2'
import type { TLSSocket } from 'node:tls'
import type { FastifyRequest } from 'fastify'
import { addressList } from '../../config/addresses.ts'
import { withoutOwnHeaders } from '../../config/own-headers.ts'
import type { Resolved } from '../../config/typed.ts'
import { ExpiringMap } from '../../upstreams/expiring-map.ts'
import type { Identity } from '../../upstreams/identity.ts'
import { type Authenticator, type AuthenticatorContext, Refusal, type Verdict } from '../authenticator.ts'
import { singleHeader } from '../credentials.ts'
import { Certificates } from './certificates.ts'
import { readClientCert } from './client-cert.ts'
import type { mtlsOptions } from './options.ts'

type MtlsOptions = Resolved<typeof mtlsOptions>

declare module '../authenticator.ts' {
  interface AuthenticatorKinds {
    mtls: MtlsOptions
  }
}

/** What a certificate has come to, which holds until it ends. */
interface Known {
  readonly verdict: Identity | Refusal
  /** Milliseconds since 1970. */
  readonly from: number
  readonly until: number
}

const HEADER = 'client-cert'
const CHAIN = 'client-cert-chain'
/** As long as a certificate of a proxy is remembered, and how many. */
const HEADER_FOR_MS = 60_000
const HEADERS = 1000

const BAD_TIME = new Refusal('invalid_token', 'The client certificate is not valid now')
const UNVERIFIED = new Refusal(
  'invalid_token',
  'The client certificate is not known here',
  'the certificate did not verify',
)
const UNREADABLE = new Refusal('invalid_request', 'The client certificate cannot be read')

/** What belongs to a connection and is there as long as it is: with HTTP/2 its session, since sockets are shown by proxies. */
function connectionOf(raw: FastifyRequest['raw']): object {
  if (raw.httpVersionMajor < 2) return raw.socket
  return (raw as unknown as Http2ServerRequest).stream?.session ?? raw.socket
}

/** Certificates of clients, shown to the gateway itself or to a proxy before it. */
export function createMtls(
  { fromProxies }: MtlsOptions,
  { app, date, now }: AuthenticatorContext,
): Authenticator {
  const certificates = new Certificates(app.gateway.consumers)
  const trusts = addressList(app.gateway.server.trustProxy)
  const byConnection = new WeakMap<object, Known | 'none'>()
  const byHeader = new ExpiringMap<Known>(HEADERS)

  const knownOf = (certificate: X509Certificate): Known => ({
    verdict: certificates.authenticate(
      certificate as X509Certificate & { subjectAltName: string | undefined },
    ),
    from: Date.parse(certificate.validFrom),
    until: Date.parse(certificate.validTo),
  })
  // A resumed session and a connection of hours may outlive the certificate that they began with.
  const verdictOf = ({ verdict, from, until }: Known): Verdict => {
    const today = date()
    return today >= from && today < until ? verdict : BAD_TIME
  }

  const look = (socket: Partial<TLSSocket>): Known | 'none' => {
    const certificate = socket.getPeerX509Certificate?.()
    // A session that was resumed without one counts as authorized too: a certificate has to be there.
    if (certificate === undefined) return 'none'
    if (socket.authorized !== true) {
      return { verdict: UNVERIFIED, from: Number.NEGATIVE_INFINITY, until: Number.POSITIVE_INFINITY }
    }
    return knownOf(certificate)
  }
  const ofConnection = (raw: IncomingMessage): Verdict => {
    const connection = connectionOf(raw)
    let known = byConnection.get(connection)
    if (known === undefined) {
      known = look(raw.socket as Partial<TLSSocket>)
      byConnection.set(connection, known)
    }
    return known === 'none' ? undefined : verdictOf(known)
  }

  const ofHeader = (header: string | Refusal): Verdict => {
    if (header instanceof Refusal) return header
    const before = byHeader.get(header, now())
    if (before !== undefined) return verdictOf(before)
    const base64 = readClientCert(header)
    if (base64 === undefined) return UNREADABLE
    let known: Known
    try {
      known = knownOf(new X509Certificate(Buffer.from(base64, 'base64')))
    } catch {
      return UNREADABLE
    }
    byHeader.set(header, known, now() + HEADER_FOR_MS)
    return verdictOf(known)
  }

  return {
    // A certificate is asked for by TLS, not by HTTP.
    challenge: () => undefined,
    authenticate(request): Verdict {
      const { headers, raw } = request
      // The certificate that a proxy itself has shown is no client's.
      if (!fromProxies || !trusts(raw.socket.remoteAddress ?? '')) return ofConnection(raw)
      return headers[HEADER] === undefined ? undefined : ofHeader(singleHeader(request, HEADER) ?? UNREADABLE)
    },
  }
}

/**
 * Takes off what anybody but a trusted proxy says of client certificates, in any spelling, so that no upstream believes
 * it (RFC 9440, 4). What a trusted one says stays as it writes it: other spellings are its clients'.
 */
export function dropClientCert(trustProxy: readonly string[]): (request: FastifyRequest) => void {
  const trusts = addressList(trustProxy)
  const drop = withoutOwnHeaders([HEADER, CHAIN])
  return ({ raw }) => {
    const { [HEADER]: certificate, [CHAIN]: chain } = raw.headers
    drop(raw)
    if (!trusts(raw.socket.remoteAddress ?? '')) return
    if (certificate !== undefined) raw.headers[HEADER] = certificate
    if (chain !== undefined) raw.headers[CHAIN] = chain
  }
}
