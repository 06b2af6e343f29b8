import { Readable } from 'node:stream'
import type { FastifyReply } from 'fastify'
import { MEDIA_TYPE } from '../config/media-type.ts'
import type { GatewayResponse } from '../config/response.ts'

const asItIs = (payload: unknown): string => payload as string

/** Sends the body of an answer whose status and headers are on the reply already, byte for byte. */
export function sendAnswer(reply: FastifyReply, body: Buffer | string | Readable | null): void {
  if (body === null) reply.send()
  else if (body instanceof Readable) reply.send(body)
  // With a serializer Fastify leaves the content type alone; without, JSON as text is given a charset.
  else if (MEDIA_TYPE.test(String(reply.getHeader('content-type')))) {
    if (typeof body === 'string') (reply.raw as GatewayResponse).ascii = body
    reply.serializer(asItIs).send(body)
  }
  // Fastify would invent a content type where there is none or none that it can read; for a stream it does not.
  else reply.send(Readable.from([typeof body === 'string' ? Buffer.from(body, 'latin1') : body]))
}

/** If nothing has been sent, an error will be: nothing of the answer that broke may stay with it. */
export function forgetAnswer(reply: FastifyReply): void {
  if (reply.raw.headersSent) return
  for (const name of Object.keys(reply.getHeaders())) {
    reply.removeHeader(name)
    reply.raw.removeHeader(name)
  }
}
