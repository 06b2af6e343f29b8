import { constants, createHmac, createPublicKey, type KeyObject, timingSafeEqual, verify } from 'node:crypto'
import { pem, pemProblem } from '../../config/certificate.ts'
import type { Consumers } from '../consumers.ts'
import { secretBytes, type Verify } from './keys.ts'

type SigningKeyConfig = Consumers[string]['signingKeys'][number]
type Algorithm = SigningKeyConfig['algorithm']

/** What kind of key an algorithm of RFC 9421, 3.3, is for. */
function fits(key: KeyObject, algorithm: Algorithm): boolean {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key
  switch (algorithm) {
    case 'ed25519':
      return type === 'ed25519'
    case 'ecdsa-p256-sha256':
      return type === 'ec' && details?.namedCurve === 'prime256v1'
    case 'rsa-pss-sha512':
      return (type === 'rsa' || type === 'rsa-pss') && (details?.modulusLength ?? 0) >= 2048
    case 'hmac-sha256':
      return false
  }
}

const WANTED: Readonly<Record<Exclude<Algorithm, 'hmac-sha256'>, string>> = {
  ed25519: 'an Ed25519 key',
  'ecdsa-p256-sha256': 'an EC key on P-256',
  'rsa-pss-sha512': 'an RSA key of at least 2048 bits',
}

/** Why a public key of the config cannot be used with this algorithm, or undefined. */
export function publicKeyProblem(value: string, algorithm: Algorithm): string | undefined {
  const unreadable = pemProblem(value)
  if (unreadable !== undefined) return `has as \`publicKey\` ${unreadable}`
  const text = pem(value)
  if (text.includes('PRIVATE KEY'))
    return 'has a private key as `publicKey`; give the public one, and make a new pair'
  try {
    if (fits(createPublicKey(text), algorithm)) return undefined
  } catch {
    return 'has a `publicKey` that cannot be read; give one in PEM form'
  }
  return `has a \`publicKey\` that is not for ${algorithm}; give ${WANTED[algorithm as keyof typeof WANTED]}`
}

/** The one way in which signatures of a key are verified. */
export function verifierOf(config: SigningKeyConfig): Verify {
  if (config.algorithm === 'hmac-sha256') {
    const secret = secretBytes(config)
    return (text, signature) => {
      const wanted = createHmac('sha256', secret).update(text, 'latin1').digest()
      return signature.length === wanted.length && timingSafeEqual(signature, wanted)
    }
  }
  const key = createPublicKey(pem(config.publicKey ?? ''))
  switch (config.algorithm) {
    case 'ed25519':
      return (text, signature) => verify(null, Buffer.from(text, 'latin1'), key, signature)
    case 'ecdsa-p256-sha256':
      return (text, signature) =>
        verify('sha256', Buffer.from(text, 'latin1'), { key, dsaEncoding: 'ieee-p1363' }, signature)
    case 'rsa-pss-sha512': {
      const { RSA_PKCS1_PSS_PADDING: padding } = constants
      return (text, signature) =>
        verify('sha512', Buffer.from(text, 'latin1'), { key, padding, saltLength: 64 }, signature)
    }
  }
}
