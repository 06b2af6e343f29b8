import type { Socket } from 'node:net'

const UNSENT = Symbol('holdfast.unsent')
/** Node's: the connection as the system has it, there until the socket is destroyed. */
type Handle = { readonly bytesWritten: number; readonly writeQueueSize: number }
export type Connection = Socket & { [UNSENT]?: number; readonly _handle?: Handle | null }

/**
 * Lets a connection remember what was written to it and never taken by the system. `bytesWritten` counts that too, and
 * what is known of it is gone when the connection is.
 */
export function rememberUnsent(socket: Connection): void {
  const { _destroy: destroy } = socket
  socket._destroy = (error, done) => {
    const { bytesWritten, _handle: handle } = socket
    // Both are numbers, but for a socket that is none of the system's.
    if (handle?.writeQueueSize !== undefined)
      socket[UNSENT] = Math.max(0, bytesWritten - handle.bytesWritten + handle.writeQueueSize)
    destroy.call(socket, error, done)
  }
}

/** Bytes; 0 while it is open. */
export function unsentBytes(socket: Connection): number {
  return socket[UNSENT] ?? 0
}
