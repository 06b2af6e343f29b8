import fp from 'fastify-plugin'
import { addressList } from '../config/addresses.ts'
import { attemptsText } from './attempts-text.ts'

/** What a client sends, as `1`, to be told. */
const ASKED_BY = 'x-holdfast-debug'

export default fp(
  async (app) => {
    const { debugHeader } = app.gateway
    if (debugHeader === undefined) return
    const name = debugHeader.name.toLowerCase()
    const trusted = addressList(debugHeader.trusted)
    app.addHook('onSend', (request, reply, _payload, done) => {
      // A target may be a gateway like this one, which trusts us: what it says is not for our clients.
      if (reply.hasHeader(name)) reply.removeHeader(name)
      const { exchange, headers, raw } = request
      // The peer itself: what it says of those behind it proves nothing.
      if (exchange !== null && headers[ASKED_BY] === '1' && trusted(raw.socket.remoteAddress ?? '')) {
        reply.header(name, attemptsText(exchange))
      }
      done()
    })
  },
  { name: 'debug-header', dependencies: ['config', 'transport'] },
)
