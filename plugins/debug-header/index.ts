import { BlockList, isIPv6 } from 'node:net'
import fp from 'fastify-plugin'
import { attemptsText } from './attempts-text.ts'

/** What a client sends, as `1`, to be told. */
const ASKED_BY = 'x-holdfast-debug'

function addresses(entries: readonly string[]): (address: string | undefined) => boolean {
  const list = new BlockList()
  for (const entry of entries) {
    const [address, prefix] = entry.split('/') as [string, string | undefined]
    const family = isIPv6(address) ? 'ipv6' : 'ipv4'
    if (prefix === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(prefix), family)
  }
  return (address) => {
    if (address === undefined) return false
    // An address of version 4 that came over a socket of version 6 is found under both.
    return list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')
  }
}

export default fp(
  async (app) => {
    const { debugHeader } = app.gateway
    if (debugHeader === undefined) return
    const name = debugHeader.name.toLowerCase()
    const trusted = addresses(debugHeader.trusted)
    app.addHook('onSend', (request, reply, _payload, done) => {
      // A target may be a gateway like this one, which trusts us: what it says is not for our clients.
      if (reply.hasHeader(name)) reply.removeHeader(name)
      const { exchange, headers, raw } = request
      // The peer itself: what it says of those behind it proves nothing.
      if (exchange !== null && headers[ASKED_BY] === '1' && trusted(raw.socket.remoteAddress)) {
        reply.header(name, attemptsText(exchange))
      }
      done()
    })
  },
  { name: 'debug-header', dependencies: ['config', 'transport'] },
)
