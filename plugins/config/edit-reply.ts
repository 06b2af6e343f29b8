import type { FastifyReply } from 'fastify'

type Headers = Record<string, string | string[] | undefined>

/**
 * Lets `edit` change the headers of a reply that is about to be sent, their names lower-case.
 * @param kept names that stay as they are all the same
 */
export function editReply(reply: FastifyReply, edit: (headers: Headers) => void, kept?: RegExp): void {
  const before = reply.getHeaders() as Headers
  const after = { ...before }
  edit(after)
  for (const name of Object.keys({ ...before, ...after })) {
    const value = after[name]
    if (value === before[name] || kept?.test(name) === true) continue
    // Fastify adds to a Set-Cookie that is there.
    reply.removeHeader(name)
    if (value !== undefined) reply.header(name, value)
  }
}
