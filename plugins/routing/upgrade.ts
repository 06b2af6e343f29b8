import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import { linger } from '../config/client-error.ts'
import { GatewayResponse } from '../config/response.ts'

const UPGRADE = Symbol('holdfast.upgrade')

/** What comes with a request to change the protocol. */
export interface Upgrade {
  readonly socket: Duplex
  /** What the client has sent behind its request already. */
  readonly head: Buffer
  /** Those of the protocols the client offers that the route takes, as the client spells them. */
  readonly protocol: string
}

export type UpgradingMessage = IncomingMessage & { [UPGRADE]?: Upgrade }

export function upgradeOf(raw: UpgradingMessage): Upgrade | undefined {
  return raw[UPGRADE]
}

/** Those of the offered protocols (`websocket, foo/2`) that are allowed, with or without their version; '' is none. */
export function agreed(offered: string, allowed: readonly string[]): string {
  const names = new Set(allowed.map((name) => name.toLowerCase()))
  return offered
    .split(',')
    .map((token) => token.trim())
    .filter((token) => {
      const name = token.toLowerCase()
      return name !== 'h2c' && (names.has(name) || names.has(name.split('/', 1)[0] as string))
    })
    .join(', ')
}

/** Whether the upgrade can be taken at all: with a body, or behind an answer still under way, it cannot. */
function takeable({ httpVersion, headers, socket }: IncomingMessage): boolean {
  const length = headers['content-length']
  const underWay = (socket as { _httpMessage?: unknown })._httpMessage
  return (
    httpVersion === '1.1' &&
    headers['transfer-encoding'] === undefined &&
    (length === undefined || length === '0') &&
    (underWay === undefined || underWay === null)
  )
}

/**
 * Upgrades as requests like any other: hooks, limits and logs apply, and the route's handler finds the socket
 * with `upgradeOf`. An upgrade that the route does not take is served with its Upgrade header ignored, as RFC
 * 9110, 7.8 has it.
 * @param protocolsOf what the route of a request lets its clients upgrade to
 */
export function serveUpgrades(
  app: FastifyInstance,
  protocolsOf: (raw: IncomingMessage) => readonly string[] | undefined,
): void {
  const protocolOf = (raw: IncomingMessage): string =>
    takeable(raw) ? agreed(raw.headers.upgrade ?? '', protocolsOf(raw) ?? []) : ''

  Object.assign(app.server, { shouldUpgradeCallback: (raw: IncomingMessage) => protocolOf(raw) !== '' })

  app.server.on('upgrade', (raw: UpgradingMessage, socket: Duplex, head: Buffer) => {
    const protocol = protocolOf(raw)
    raw[UPGRADE] = { socket, head, protocol }
    const response = new GatewayResponse(raw)
    response.shouldKeepAlive = false
    response.assignSocket(raw.socket)
    socket
      .on('error', () => {})
      .on('timeout', () => socket.destroy())
      .on('drain', () => {
        if (!response.writableFinished) response.emit('drain')
      })
    response.once('finish', () => {
      if (response.statusCode === 101) return
      socket.end()
      linger(socket)
    })
    app.routing(raw as never, response as never)
  })
}
