import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { withoutOwnHeaders } from '../config/own-headers.ts'
import { encodeValue } from './encode.ts'
import { signer } from './sign.ts'
import { type Source, sourced } from './source.ts'
import { TokenMaker } from './token.ts'

/** Tells upstreams who calls, and sees to it that nobody else does. */
export default fp(
  async (app) => {
    const config = app.gateway.identityHeaders
    if (config === undefined) return
    const { jwt } = config
    const told = Object.entries(config.headers) as [string, Source][]
    const own = told.map(([name]) => name)
    if (jwt !== undefined) own.push(jwt.header)
    const withoutOwn = withoutOwnHeaders(own)

    // Before anybody looks at the request, on all routes: who is not told who calls is not told by the client either.
    app.addGuard({
      name: 'identity-headers: strip',
      stage: 'cors',
      forRoute: () => (request) => withoutOwn(request.raw),
    })

    const makeTokens = (): TokenMaker | undefined => {
      if (jwt === undefined) return undefined
      const algorithm = jwt.algorithm ?? (jwt.secret === undefined ? 'RS256' : 'HS256')
      return new TokenMaker({
        issuer: jwt.issuer,
        lifetimeMs: jwt.lifetime,
        claims: jwt.claims,
        header: { alg: algorithm, typ: 'JWT', ...(jwt.keyId === undefined ? {} : { kid: jwt.keyId }) },
        sign: signer(algorithm, jwt),
        now: () => Date.now(),
      })
    }
    const tokens = makeTokens()

    app.addGuard({
      name: 'identity-headers',
      stage: 'limit-by-identity',
      forRoute({ config: { identityHeaders, upstream, split } }) {
        const upstreams = upstream === undefined ? Object.keys(split ?? {}) : [upstream]
        if (!identityHeaders || upstreams.length === 0) return undefined
        const audience = JSON.stringify(jwt?.audience ?? (upstreams.length === 1 ? upstreams[0] : upstreams))
        return ({ identity, raw }: FastifyRequest) => {
          if (identity === null) return
          for (const [name, source] of told) {
            const value = encodeValue(sourced(identity, source))
            if (value !== undefined) raw.headers[name] = value
          }
          if (tokens !== undefined) raw.headers[jwt?.header as string] = tokens.tokenFor(identity, audience)
        }
      },
    })
  },
  { name: 'identity-headers', dependencies: ['config', 'routing'] },
)
