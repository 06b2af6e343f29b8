import { GatewayError } from '../upstreams/errors.ts'

/** Undefined lets the body through. */
export type BodyCheck = (body: Buffer) => GatewayError | undefined

/** Answers for the exchange when the check refuses. */
interface Sender {
  send(error: GatewayError): unknown
}

/** A body that is held whole goes on if the check has nothing against it. */
export function checkedBody(
  check: BodyCheck,
  reply: Sender,
  open: (body: Buffer) => void,
  giveBack: () => void,
): (body: Buffer) => void {
  return (body) => {
    const refusal = check(body)
    if (refusal === undefined) return open(body)
    giveBack()
    reply.send(refusal)
  }
}

/**
 * What a client is told whose body cannot be held whole, though it has to be looked at.
 * @param length NaN if it is not known beforehand
 * @param most bytes that could be
 */
export function unfitToCheck(length: number, most: number): GatewayError {
  const headers = { connection: 'close' }
  if (Number.isNaN(length)) {
    const message = 'The body is signed, so its length has to be told beforehand, by Content-Length'
    return new GatewayError('GTW_LENGTH_REQUIRED', 411, 'client', message, { headers })
  }
  const message = `A body that is signed can have at most ${most} bytes here`
  return new GatewayError('GTW_BODY_TOO_LARGE', 413, 'client', message, { headers })
}
