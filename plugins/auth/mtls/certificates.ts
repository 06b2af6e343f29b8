import type { Problem } from '../../config/errors.ts'
import { written } from '../../config/messages.ts'
import type { Identity } from '../../upstreams/identity.ts'
import { Refusal } from '../authenticator.ts'
import { type Consumers, consumerIdentity } from '../consumers.ts'
import { parseCertificateName, parseDn } from './dn.ts'
import { type AlternativeNames, parseAlternativeNames } from './san.ts'

/** What a certificate says, as `X509Certificate` of node:crypto has it. */
export interface CertificateFacts {
  readonly subject: string
  readonly issuer: string
  readonly subjectAltName: string | undefined
  /** SHA-256, with colons. */
  readonly fingerprint256: string
}

type CertificateConfig = Consumers[string]['certificates'][number]

/** A certificate's names in the form that is compared. */
interface Names extends AlternativeNames {
  readonly subject: string | undefined
  readonly issuer: string | undefined
  readonly fingerprint: string
}

interface Rule {
  readonly consumer: string
  readonly fits: (names: Names) => boolean
  readonly identity: Identity
}

function fingerprint(text: string): string {
  return text.replaceAll(':', '').toLowerCase()
}

/** What a certificate of the config is compared by, so that two that say the same are the same. */
function normal(certificate: CertificateConfig): Readonly<Record<string, string>> {
  const { subject, issuer, dns, uri, email, fingerprint: hash } = certificate
  return {
    ...(subject === undefined ? {} : { subject: parseDn(subject) ?? '' }),
    ...(issuer === undefined ? {} : { issuer: parseDn(issuer) ?? '' }),
    ...(dns === undefined ? {} : { dns: dns.toLowerCase() }),
    ...(uri === undefined ? {} : { uri }),
    ...(email === undefined ? {} : { email }),
    ...(hash === undefined ? {} : { fingerprint: fingerprint(hash) }),
  }
}

/** Certificates that say nothing of whose they are, and those that two consumers claim. */
export function certificateProblems(consumers: Consumers): Problem[] {
  const problems: Problem[] = []
  const seen = new Map<string, string>()
  for (const [name, { certificates }] of Object.entries(consumers)) {
    for (const [index, certificate] of certificates.entries()) {
      const path = written('consumers', name, 'certificates', index)
      const facts = normal(certificate)
      if (Object.keys(facts).every((key) => key === 'issuer')) {
        const message = 'would fit everybody; give it a `subject`, `dns`, `uri`, `email` or `fingerprint`'
        problems.push({ path, message })
        continue
      }
      const key = JSON.stringify(facts)
      const other = seen.get(key)
      if (other === undefined) seen.set(key, path)
      else
        problems.push({ path, message: `is the certificate of ${other} too; a certificate has one consumer` })
    }
  }
  return problems
}

function ruleOf(certificate: CertificateConfig): (names: Names) => boolean {
  const { subject, issuer, dns, uri, email, fingerprint: hash } = normal(certificate)
  return (names) =>
    (subject === undefined || names.subject === subject) &&
    (issuer === undefined || names.issuer === issuer) &&
    (dns === undefined || names.dns.has(dns)) &&
    (uri === undefined || names.uri.has(uri)) &&
    (email === undefined || names.email.has(email)) &&
    (hash === undefined || names.fingerprint === hash)
}

/** Tells consumers by their certificates. */
export class Certificates {
  readonly #rules: readonly Rule[]

  constructor(consumers: Consumers) {
    this.#rules = Object.entries(consumers).flatMap(([name, consumer]) => {
      const identity = consumerIdentity(name, consumer, 'mtls')
      return consumer.certificates.map((one) => ({ consumer: name, fits: ruleOf(one), identity }))
    })
  }

  /** Of a certificate that has been verified. Looks at all rules: to be asked once for each connection. */
  authenticate(facts: CertificateFacts): Identity | Refusal {
    const names: Names = {
      subject: parseCertificateName(facts.subject),
      issuer: parseCertificateName(facts.issuer),
      fingerprint: fingerprint(facts.fingerprint256),
      ...parseAlternativeNames(facts.subjectAltName),
    }
    const fitting = this.#rules.filter(({ fits }) => fits(names))
    const told = 'The client certificate is not known here'
    const [first] = fitting
    if (first === undefined)
      return new Refusal('invalid_token', told, `no consumer has the certificate of ${facts.subject}`)
    const other = fitting.find(({ consumer }) => consumer !== first.consumer)
    if (other === undefined) return first.identity
    // Rules of different kinds may fit one certificate, which no check of the config can see.
    return new Refusal(
      'invalid_token',
      told,
      `${first.consumer} and ${other.consumer} both claim the certificate`,
    )
  }
}
