import type { FastifyReply, FastifyRequest } from 'fastify'
import { hasBody } from '../config/has-body.ts'
import { GatewayError } from '../upstreams/errors.ts'
import { gatherBody } from './body.ts'
import { bodyTooLarge, refusalError } from './errors.ts'
import { lastAnswer } from './linger.ts'
import type { Memory } from './memory.ts'

/** Undefined lets the body through. */
export type BodyCheck = (body: Buffer) => GatewayError | undefined

const NO_BODY = Buffer.alloc(0)

/**
 * What a client is told whose body cannot be held whole, though it has to be looked at.
 * @param length NaN if it is not known beforehand
 * @param most bytes that could be
 */
function unfitToCheck(length: number, most: number): GatewayError {
  const headers = { connection: 'close' }
  if (Number.isNaN(length)) {
    const message = 'The body is signed, so its length has to be told beforehand, by Content-Length'
    return new GatewayError('GTW_LENGTH_REQUIRED', 411, 'client', message, { headers })
  }
  const message = `A body that is signed can have at most ${most} bytes here`
  return new GatewayError('GTW_BODY_TOO_LARGE', 413, 'client', message, { headers })
}

/** A check that fails lets nothing through. It is made in an event of the request's, where nobody would catch its error. */
function verdictOn(body: Buffer, check: BodyCheck): Error | undefined {
  try {
    return check(body)
  } catch (error) {
    return error as Error
  }
}

/** Gets a body that was let through. `giveBack` returns the memory that it takes; to be called once. */
export type Checked = (body: Buffer, giveBack: () => void) => void

/**
 * Makes what reads a body whole, before anybody else does, and has it looked at. What cannot be held is refused, and so
 * is what the check refuses: there is no way past it.
 */
export function bodyChecker(
  limits: { readonly bodyLimit: number; readonly replayBody: number },
  memory: Memory,
) {
  const { bodyLimit, replayBody } = limits
  return (request: FastifyRequest, reply: FastifyReply, check: BodyCheck, then: Checked): void => {
    const { raw } = request
    const refuse = (error: Error): void => {
      lastAnswer(raw, reply)
      reply.send(error)
    }
    const look = (body: Buffer, giveBack: () => void): void => {
      const refusal = verdictOn(body, check)
      if (refusal === undefined) {
        then(body, giveBack)
        return
      }
      giveBack()
      refuse(refusal)
    }
    const length = Number(raw.headers['content-length'])
    if (!hasBody(raw)) look(NO_BODY, () => {})
    else if (length > bodyLimit) refuse(bodyTooLarge())
    else if (!(length <= replayBody)) refuse(unfitToCheck(length, replayBody))
    else if (!memory.take(length)) refuse(refusalError('overloaded'))
    else {
      const giveBack = (): void => memory.giveBack(length)
      // A client that has left by then is told nothing: its `close` has been and is not told again.
      gatherBody(raw, (body) => (reply.raw.destroyed ? giveBack() : look(body, giveBack)), giveBack)
    }
  }
}
