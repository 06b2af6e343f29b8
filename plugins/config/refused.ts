import type { Duplex } from 'node:stream'

/**
 * Said by the main listener, for all listeners, of what was refused without becoming a request: no hook hears of it,
 * and it has no line in the access log.
 */
export const REFUSED = 'holdfast:refused'

export const REFUSAL_REASONS = [
  /** No HTTP, or not by the letter. */
  'malformed',
  /** The client said in the middle of a request that it would send no more. */
  'incomplete',
  'headers-too-large',
  'chunk-extensions-too-large',
  'timeout',
  /** A TLS handshake that came to nothing. */
  'tls',
  'connect',
  'version',
  'method',
  /** There are as many connections as there are file descriptors for. */
  'too-many-connections',
] as const

export type RefusalReason = (typeof REFUSAL_REASONS)[number]

export interface Refusal {
  readonly reason: RefusalReason
  /** What the client was answered with; 0 is nothing. */
  readonly status: number
  /** Address of the peer. */
  readonly peer: string | undefined
  /** Node's code of the error. */
  readonly code: string | undefined
}

export type Tell = (refusal: Refusal) => void

export function peerOf(socket: Duplex): string | undefined {
  return (socket as Duplex & { readonly remoteAddress?: string }).remoteAddress
}
