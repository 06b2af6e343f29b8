import { constants, createHmac, createPrivateKey, type KeyObject, sign } from 'node:crypto'
import { pem } from '../config/certificate.ts'

export const ALGORITHMS = [
  ...(['HS256', 'HS384', 'HS512'] as const),
  ...(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'EdDSA'] as const),
] as const
export type Algorithm = (typeof ALGORITHMS)[number]

const CURVES: Readonly<Record<string, string>> = { ES256: 'prime256v1', ES384: 'secp384r1' }

export function hashBits(algorithm: Algorithm): number {
  return algorithm === 'EdDSA' ? 512 : Number(algorithm.slice(2))
}

/** Why a private key cannot sign with an algorithm, or undefined if it can. */
export function keyProblem(privateKey: string, algorithm: Algorithm): string | undefined {
  let key: KeyObject
  try {
    key = createPrivateKey(pem(privateKey))
  } catch {
    return 'is no private key; give PEM text or the path of a PEM file'
  }
  const wanted = algorithm === 'EdDSA' ? 'ed25519' : algorithm.startsWith('ES') ? 'ec' : 'rsa'
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key
  if (type !== wanted) return `is of type ${type}, but ${algorithm} signs with ${wanted}; set \`algorithm\``
  if (wanted === 'ec' && details?.namedCurve !== CURVES[algorithm])
    return `is on the curve ${details?.namedCurve}, but ${algorithm} is for ${CURVES[algorithm]}`
  if (wanted === 'rsa' && (details?.modulusLength ?? 0) < 2048)
    return 'is shorter than 2048 bits (RFC 7518, 3.3)'
  return undefined
}

/** Signs texts as JWS has it (RFC 7515), in base64url. */
export function signer(
  algorithm: Algorithm,
  { secret, privateKey }: { readonly secret?: string | undefined; readonly privateKey?: string | undefined },
): (text: string) => string {
  const hash = `sha${hashBits(algorithm)}`
  if (secret !== undefined) return (text) => createHmac(hash, secret).update(text).digest('base64url')
  const key = createPrivateKey(pem(privateKey as string))
  const options = algorithm.startsWith('PS')
    ? { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
    : { key, dsaEncoding: 'ieee-p1363' as const }
  const digest = algorithm === 'EdDSA' ? null : hash
  return (text) => sign(digest, Buffer.from(text), options).toString('base64url')
}
