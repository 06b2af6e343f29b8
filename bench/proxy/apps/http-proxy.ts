// @fastify/http-proxy as it comes, balanced over three targets.
import httpProxy from '@fastify/http-proxy'
import fastify from 'fastify'
import { addForwardedFor, nextOrigin, port } from './environment.ts'

const app = fastify({ disableRequestLogging: true })
app.register(httpProxy, {
  upstream: '',
  disableRequestLogging: true,
  replyOptions: {
    getUpstream: nextOrigin,
    rewriteRequestHeaders: (from, headers) => addForwardedFor(headers, from.ip),
  },
})
await app.listen({ host: '127.0.0.1', port })
