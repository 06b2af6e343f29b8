import { createPublicKey, type KeyObject } from 'node:crypto'
import { pem, pemProblem } from '../../config/certificate.ts'
import { messageOf } from '../../config/messages.ts'
import { algorithmsFor } from './jwk.ts'
import type { Algorithm } from './options.ts'

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[\s\S]+?-----END \1-----/g
/** As OpenSSL and as JOSE call the curves. */
const CURVES: Readonly<Record<string, string>> = {
  prime256v1: 'P-256',
  secp384r1: 'P-384',
  secp521r1: 'P-521',
}

function algorithmsOf(key: KeyObject): readonly Algorithm[] | string {
  const {
    asymmetricKeyType: type,
    asymmetricKeyDetails: { modulusLength: bits = 0, publicExponent: exponent = 0n, namedCurve = '' } = {},
  } = key
  if (type === 'rsa') return algorithmsFor('RSA', { bits, exponent })
  if (type === 'ec') return algorithmsFor('EC', { crv: CURVES[namedCurve] ?? namedCurve })
  if (type === 'ed25519') return algorithmsFor('OKP', { crv: 'Ed25519' })
  return `is a key of type ${type}, which no algorithm here uses`
}

/**
 * The public keys and certificates in PEM texts or files. Throws an Error whose message ends a sentence that begins
 * with the option's name.
 */
export function readPublicKeys(
  from: string | readonly string[],
): { algorithms: readonly Algorithm[]; key: string }[] {
  return [from].flat().flatMap((value) => {
    const unreadable = pemProblem(value)
    if (unreadable !== undefined) throw new Error(unreadable)
    const blocks = [...pem(value).matchAll(BLOCK)]
    if (blocks.length === 0) throw new Error('holds no key in PEM form; give a public key or a certificate')
    return blocks.map(([block, label = '']) => {
      if (label.includes('PRIVATE'))
        throw new Error('holds a private key; a gateway needs the public one only')
      const key = createPublicKey(block)
      const algorithms = algorithmsOf(key)
      if (typeof algorithms === 'string') throw new Error(algorithms)
      return { algorithms, key: key.export({ type: 'spki', format: 'pem' }).toString() }
    })
  })
}

/** What is wrong with a `publicKey`, with its remedy, or undefined. */
export function publicKeyProblem(
  from: string | readonly string[],
  wanted: readonly Algorithm[] | undefined,
): string | undefined {
  try {
    const useless = readPublicKeys(from).some(
      ({ algorithms }) => wanted !== undefined && !algorithms.some((one) => wanted.includes(one)),
    )
    return useless ? 'holds a key for none of the `algorithms`; name those that it is used with' : undefined
  } catch (error) {
    const [line] = messageOf(error).split('\n')
    return line
  }
}
