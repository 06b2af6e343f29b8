import { createServer, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { portFor } from './ports.ts'

const PREFACE = 24
export const DATA = 0
export const HEADERS = 1
export const RST_STREAM = 3
export const SETTINGS = 4
const PING = 6
export const GOAWAY = 7
export const END_STREAM = 1
export const END_HEADERS = 4
const ACK = 1

/** A frame of HTTP/2 (RFC 9113, 4.1). */
export function frame(type: number, flags: number, id: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(id, 5)
  return Buffer.concat([head, payload])
}

/** HPACK: a literal without indexing, name of the static table's `index`, which is above 14. */
function literal(index: number, value: string): Buffer {
  return Buffer.concat([Buffer.from([0x0f, index - 15, value.length]), Buffer.from(value)])
}

/** One stream of a target that speaks frames of HTTP/2 (RFC 9113) as it likes. */
export interface FrameStream {
  readonly socket: Socket
  readonly number: number
  /** @param length says it as Content-Length */
  head(options?: { status?: number | string; length?: number; end?: boolean }): void
  data(text: string, end?: boolean): void
  reset(code: number): void
  goAway(lastStream: number, code: number): void
}

/** A target with prior knowledge of HTTP/2; `script` is run for the head of each request. */
export async function startFrames(
  t: Pick<TestContext, 'after'>,
  script: (stream: FrameStream) => void,
): Promise<{ origin: string; requests(): number }> {
  const sockets = new Set<Socket>()
  let requests = 0
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}).on('close', () => sockets.delete(socket)))
    socket.setNoDelay().write(frame(SETTINGS, 0, 0))
    let bytes = Buffer.alloc(0)
    let begun = false
    socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk])
      if (!begun && bytes.length >= PREFACE) {
        begun = true
        bytes = bytes.subarray(PREFACE)
      }
      while (begun && bytes.length >= 9 && bytes.length >= 9 + bytes.readUIntBE(0, 3)) {
        const length = bytes.readUIntBE(0, 3)
        const [type, flags, id] = [bytes[3], bytes[4] as number, bytes.readUInt32BE(5)]
        const payload = bytes.subarray(9, 9 + length)
        bytes = bytes.subarray(9 + length)
        if (type === SETTINGS && (flags & ACK) === 0) socket.write(frame(SETTINGS, ACK, 0))
        else if (type === PING && (flags & ACK) === 0) socket.write(frame(PING, ACK, 0, payload))
        else if (type === HEADERS) script(streamOf(socket, id, requests++))
      }
    })
  })
  const port = await portFor(server)
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { origin: `http://127.0.0.1:${port}`, requests: () => requests }
}

function streamOf(socket: Socket, id: number, number: number): FrameStream {
  const flag = (end: boolean): number => (end ? END_STREAM : 0)
  return {
    socket,
    number,
    head({ status = 200, length, end = false } = {}) {
      const fields = [literal(31, 'text/plain')]
      if (length !== undefined) fields.push(literal(28, String(length)))
      // `:status` with a value of our own is a literal with the name of entry 8.
      const code = status === 200 ? Buffer.from([0x88]) : Buffer.from(`\x08\x03${status}`, 'latin1')
      socket.write(frame(HEADERS, END_HEADERS | flag(end), id, Buffer.concat([code, ...fields])))
    },
    data: (text, end = false) => socket.write(frame(DATA, flag(end), id, Buffer.from(text))),
    reset(code) {
      const payload = Buffer.alloc(4)
      payload.writeUInt32BE(code)
      socket.write(frame(RST_STREAM, 0, id, payload))
    },
    goAway(lastStream, code) {
      const payload = Buffer.alloc(8)
      payload.writeUInt32BE(lastStream)
      payload.writeUInt32BE(code, 4)
      socket.write(frame(GOAWAY, 0, 0, payload))
    },
  }
}
