import type { Server } from 'node:http'
import type { Http2Server } from 'node:http2'
import type { Socket } from 'node:net'
import { LINGER_MS, STOPPING } from './close.ts'
import { SilentConnections } from './silent.ts'

const PREFACE = 'PRI * HTTP/2.0'

/**
 * One plain port for both: a connection that opens with the preface of HTTP/2 is spoken to in HTTP/2.
 * @param patience milliseconds that a connection may keep silent
 */
export function bothInPlain(h1: Server, h2: Http2Server, patience: number): void {
  const serveHttp1 = h1.listeners('connection') as ((socket: Socket) => void)[]
  const silent = new SilentConnections(h1)
  h1.removeAllListeners('connection')
  h1.on('connection', (socket: Socket) => {
    let start: Buffer = Buffer.alloc(0)
    const ignore = (): void => {}
    const giveUp = (): void => {
      socket.destroy()
    }
    const decide = (): void => {
      const chunk = socket.read() as Buffer | null
      if (chunk === null) return
      start = Buffer.concat([start, chunk])
      const seen = start.toString('latin1', 0, PREFACE.length)
      if (start.length < PREFACE.length && PREFACE.startsWith(seen)) return
      socket
        .off('readable', decide)
        .off('error', ignore)
        .off('timeout', giveUp)
        .off('end', giveUp)
        .setTimeout(0)
      silent.delete(socket)
      socket.unshift(start)
      if (seen === PREFACE) {
        // With HTTP/2 the end of one direction is the end of all: half open, its last request would never be over.
        socket.allowHalfOpen = false
        h2.emit('connection', socket)
      } else for (const serve of serveHttp1) serve.call(h1, socket)
    }
    silent.add(socket)
    socket.on('error', ignore).on('end', giveUp).on('readable', decide).setTimeout(patience, giveUp)
  })
  // Once more for sessions that were just beginning.
  h1.once(STOPPING, () => {
    h2.close(() => {})
    setTimeout(() => h2.close(() => {}), LINGER_MS)
  })
}
