import type http from 'node:http'
import { createSecureContext, type SecureContext, type Server as TlsServer } from 'node:tls'
import type { Certificate, ListenerTls } from './certificate.ts'
import { type CertificateEnd, upstreamCertificateEnds } from './certificate-ends.ts'
import { ByName } from './certificates-by-name.ts'
import type { GatewayConfig } from './define.ts'
import { ConfigError, type Problem } from './errors.ts'
import { contextOptions, placeOf, type ReadTls, readTls, renewTls } from './listener-tls.ts'
import { OpenConnections } from './open-connections.ts'

type Choose = (name: string, answer: (error: null, context?: SecureContext) => void) => void

/** The certificates of one listener, as they are shown now. */
export class ListenerCertificates {
  /** Where the config has them: `server.tls`. */
  readonly place: string
  readonly #config: ListenerTls
  readonly #listeners = new Set<TlsServer>()
  /** Those of listeners that ask clients for certificates. */
  readonly #open = new Map<TlsServer, OpenConnections>()
  #served: ReadTls
  #contexts: ByName<SecureContext>

  /** Throws a `ConfigError` if they cannot be used. */
  constructor(config: ListenerTls, place: string) {
    const { tls, problems } = readTls(config, place)
    if (tls === undefined) throw new ConfigError(place, problems)
    this.place = place
    this.#config = config
    this.#served = tls
    this.#contexts = this.#contextsOf(tls)
  }

  #contextsOf(tls: ReadTls): ByName<SecureContext> {
    const { certificates } = tls
    // One alone is shown to everybody.
    if (certificates.length === 1) return new ByName([])
    return new ByName(
      certificates.map((one) => [one.names, createSecureContext(contextOptions(tls, one))] as const),
    )
  }

  get #first() {
    return contextOptions(this.#served, this.#served.certificates[0] as Certificate)
  }

  /** What to create a listener with that shows them. */
  get options() {
    const { certificates, clientCa, clientAuth } = this.#served
    // Whom it finds no context for, Node shows the listener's own.
    const SNICallback: Choose = (name, answer) => answer(null, this.#contexts.find(name))
    return {
      ...this.#first,
      ...(certificates.length > 1 ? { SNICallback } : {}),
      ...(clientCa === undefined ? {} : { requestCert: true, rejectUnauthorized: clientAuth !== 'request' }),
    }
  }

  /** From now on `listener`, made with `options`, shows what comes of a renewal. */
  serve<T extends http.Server>(listener: T): T {
    const server = listener as unknown as TlsServer
    this.#listeners.add(server)
    if (this.#served.clientCa !== undefined) this.#open.set(server, new OpenConnections(listener))
    server.once('close', () => {
      this.#listeners.delete(server)
      this.#open.delete(server)
    })
    return listener
  }

  /**
   * Reads the files again. What is fit is shown to connections made from now on; sessions of before are not resumed. With
   * another `clientCa` connections of before are told to go: who they come from was found out by the old one.
   * @param now milliseconds since 1970
   * @returns whether anything has changed, `clientCa` above all, and why something has not
   */
  renew(now: number): { changed: boolean; clientCa: boolean; problems: readonly Problem[] } {
    const { tls, problems } = renewTls(this.#served, this.#config, this.place, now)
    if (tls === this.#served) return { changed: false, clientCa: false, problems }
    const clientCa = tls.clientCa !== this.#served.clientCa
    this.#contexts = this.#contextsOf(tls)
    this.#served = tls
    for (const listener of this.#listeners) listener.setSecureContext(this.#first)
    if (clientCa) for (const connections of this.#open.values()) connections.end()
    return { changed: true, clientCa, problems }
  }

  /** When each of them ends. */
  get ends(): CertificateEnd[] {
    return this.#served.certificates.map(({ validTo }, index) => ({
      place: placeOf(this.place, index),
      at: validTo / 1000,
    }))
  }

  /** What it is read from, as far as that is files. */
  get files(): string[] {
    const { cert, key, clientCa, more = [] } = this.#config
    const values = [cert, key, ...more.flatMap((pair) => [pair.cert, pair.key]), clientCa]
    return values.filter((value) => value !== undefined && !value.includes('-----BEGIN')) as string[]
  }
}

/** All certificates that the gateway shows. */
export class Certificates {
  readonly listeners: readonly ListenerCertificates[]
  readonly #toTargets: readonly CertificateEnd[]

  constructor(config: GatewayConfig) {
    // The plugin may have been taken out.
    const { listeners = [] } = config as { readonly listeners?: readonly { readonly tls?: ListenerTls }[] }
    const places = [
      ['server.tls', config.server.tls as ListenerTls | undefined] as const,
      ...listeners.map(({ tls }, index) => [`listeners[${index}].tls`, tls] as const),
    ]
    this.listeners = places.flatMap(([place, tls]) =>
      tls === undefined ? [] : new ListenerCertificates(tls, place),
    )
    this.#toTargets = upstreamCertificateEnds(config)
  }

  /** Those that the config has there: `server.tls`. */
  at(place: string): ListenerCertificates | undefined {
    return this.listeners.find((one) => one.place === place)
  }

  /** When each one ends that is shown to clients, or to targets that ask for one. As they are shown now. */
  get ends(): CertificateEnd[] {
    return [...this.listeners.flatMap(({ ends }) => ends), ...this.#toTargets]
  }
}

const CERTIFICATES = Symbol('holdfast.certificates')
type Shows = http.Server & { [CERTIFICATES]?: Certificates }

/** Leaves with the main listener, which is there first, what the plugins find there. */
export function showCertificates(main: http.Server, certificates: Certificates): void {
  ;(main as Shows)[CERTIFICATES] = certificates
}

/** Those of the main listener, and of all beside it. */
export function certificatesOf(main: http.Server): Certificates {
  const certificates = (main as Shows)[CERTIFICATES]
  if (certificates !== undefined) return certificates
  const message =
    'were not handed to Fastify; start it with -o (`fastify start -o app.ts`), with `npm start`, or as `Fastify(options)`'
  throw new ConfigError('app.ts', [{ path: 'options', message }])
}
