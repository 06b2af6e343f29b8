import type { FastifyBaseLogger } from 'fastify'
import pino from 'pino'

interface Destination {
  write(text: string): unknown
}

/** Of pino's own (sonic-boom): lines wait in memory until the system has taken those before them. */
interface Buffering extends Destination {
  /** Bytes; 0 is any number. */
  maxLength: number
  on(event: 'drop' | 'drain', listener: () => void): unknown
}

/** Where the logger writes to; undefined if it is none of pino's, or writes nowhere. */
export function destinationOf(log: FastifyBaseLogger): Destination | undefined {
  const found = (log as unknown as Record<symbol, Partial<Destination> | undefined>)[pino.symbols.streamSym]
  return typeof found?.write === 'function' ? (found as Destination) : undefined
}

/**
 * Bounds what waits for a reader that does not keep up. pino writes in the background, so that a blocked output stops
 * no request; but it would keep all lines until the memory is used up.
 * @param bytes that may wait
 * @param lost hears of each line that is lost
 * @param drained hears that the reader has caught up
 * @returns whether there was something to bound: not where the user has a destination of their own
 */
export function boundBuffer(
  destination: Destination | undefined,
  bytes: number,
  lost: () => void,
  drained: () => void,
): boolean {
  const buffering = destination as Partial<Buffering> | undefined
  if (buffering?.maxLength !== 0 || typeof buffering.on !== 'function') return false
  buffering.maxLength = bytes
  buffering.on('drop', lost)
  buffering.on('drain', drained)
  return true
}
