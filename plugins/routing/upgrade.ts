import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'

const UPGRADE = Symbol('holdfast.upgrade')

/** What comes with a request to change the protocol. */
export interface Upgrade {
  readonly socket: Duplex
  /** What the client has sent behind its request already. */
  readonly head: Buffer
}

export type UpgradingMessage = IncomingMessage & { [UPGRADE]?: Upgrade }

export function markUpgrade(raw: UpgradingMessage, upgrade: Upgrade): void {
  raw[UPGRADE] = upgrade
}

export function upgradeOf(raw: UpgradingMessage): Upgrade | undefined {
  return raw[UPGRADE]
}
