import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/** With the other side gone, this long is waited for the rest to be taken, in milliseconds. */
const FLUSH_MS = 30_000
/** A peer that vanished without a word is noticed by the kernel's probes, which start after this silence. */
const PROBE_MS = 60_000

function settle(socket: Duplex): void {
  // A Duplex over a socket (TLS in TLS, say) has none of these.
  const { setTimeout, setNoDelay, setKeepAlive } = socket as Partial<Socket>
  setTimeout?.call(socket, 0)
  setNoDelay?.call(socket, true)
  setKeepAlive?.call(socket, true, PROBE_MS)
}

/** Lets what was written reach the peer, then closes. */
function finish(socket: Duplex): void {
  if (socket.destroyed) return
  const timer = setTimeout(() => socket.destroy(), FLUSH_MS)
  socket.once('close', () => clearTimeout(timer))
  if (socket.writableFinished) socket.destroy()
  else socket.once('finish', () => socket.destroy()).end()
}

/**
 * Joins two sockets: bytes pass untouched with backpressure, the end of one direction is the end of that
 * direction only, and when one socket is gone the other follows.
 * @param done called once both are closed
 * @returns ends both
 */
export function join(client: Duplex, target: Duplex, done: () => void): () => void {
  let open = 2
  const watch = (socket: Duplex, other: Duplex): void => {
    let broken = false
    settle(socket)
    socket
      .on('error', () => {
        broken = true
      })
      .once('close', () => {
        // Cut off on one side, it must not look on the other as if all had been said.
        if (broken || !socket.readableEnded) other.destroy()
        else finish(other)
        open--
        if (open === 0) done()
      })
  }
  watch(client, target)
  watch(target, client)
  client.pipe(target)
  target.pipe(client)
  return () => {
    finish(client)
    finish(target)
  }
}
