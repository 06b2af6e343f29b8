const BYTES = /^:([A-Za-z0-9+/]+={0,2}):$/

/**
 * Reads a `Client-Cert` header (RFC 9440, 2.2): one sequence of bytes, a certificate in DER.
 * @returns the base64 text, or undefined if it is not of that form
 */
export function readClientCert(header: string): string | undefined {
  return BYTES.exec(header.trim())?.[1]
}
