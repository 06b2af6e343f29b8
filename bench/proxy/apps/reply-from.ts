// @fastify/reply-from as it comes, with its own agent.
import replyFrom from '@fastify/reply-from'
import fastify from 'fastify'
import { addForwardedFor, nextOrigin, port } from './environment.ts'

const app = fastify({ disableRequestLogging: true })
app.register(replyFrom, { disableRequestLogging: true })
app.all('/*', (request, reply) =>
  reply.from(request.url, {
    getUpstream: nextOrigin,
    rewriteRequestHeaders: (from, headers) => addForwardedFor(headers, from.ip),
  }),
)
await app.listen({ host: '127.0.0.1', port })
