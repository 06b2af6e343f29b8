import { custom, flag, object, optional, text, withDefault } from '../../config/kit.ts'
import { parseDn } from './dn.ts'

const dn = custom<string>(
  (value) =>
    typeof value === 'string' && parseDn(value) !== undefined
      ? undefined
      : `"${value}" is no distinguished name`,
  { remedy: 'write it as RFC 4514 has it: "CN=billing,OU=Payments,O=Acme,C=DE"' },
)

/** How client certificates are taken. */
export const mtlsOptions = object({
  /**
   * Proxies in `server.trustProxy` say in `Client-Cert` (RFC 9440) which certificate the client has shown them, and
   * are believed to have verified it. From everyone else the header is taken off. Default false.
   */
  fromProxies: withDefault(flag(), false),
})

/** Which client certificates are a consumer's: those that have all of this. The name that is given has to be one of theirs. */
export const certificate = object({
  /** Subject, as RFC 4514 writes it. Compared attribute by attribute: types in any case, values exactly. */
  subject: optional(dn),
  /** Issuer, likewise: for where `clientCa` holds authorities that are not trusted alike. */
  issuer: optional(dn),
  /** A DNS name among the subject's alternative names, in any case. No wildcards. */
  dns: optional(text({ minLength: 1 })),
  /** A URI among them, such as a SPIFFE id, exactly. */
  uri: optional(text({ minLength: 1 })),
  /** A mail address among them, exactly. */
  email: optional(text({ minLength: 1 })),
  /** SHA-256 of the certificate in hexadecimal, with colons or without: this one and no other, renewed ones neither. */
  fingerprint: optional(
    text({
      pattern: '^(?:[0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}$',
      remedy: 'write what `openssl x509 -fingerprint -sha256` prints behind the `=`',
    }),
  ),
})
