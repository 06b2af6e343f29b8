import { createServer, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { portFor } from './ports.ts'

/** One request as it came over the wire, body left out. */
export interface WireRequest {
  readonly socket: Socket
  /** Request line and headers, as sent. */
  readonly head: string
  /** Counts all requests of the target from 0. */
  readonly number: number
}

export interface FaultyTarget {
  readonly origin: string
  readonly port: number
  readonly requests: readonly WireRequest[]
  /** Connections accepted so far. */
  readonly accepted: number
  /** Connections open now. */
  readonly open: ReadonlySet<Socket>
  /** Resolves when this many requests have come. */
  arrived(count: number): Promise<void>
  close(): Promise<void>
}

/** Where a body that follows `head` ends in `rest`, or -1 if it is not all there. */
function bodyEnd(head: string, rest: string): number {
  const length = /^content-length: *(\d+)/im.exec(head)
  if (length !== null) return rest.length >= Number(length[1]) ? Number(length[1]) : -1
  if (!/^transfer-encoding:.*chunked/im.test(head)) return 0
  const end = /(?:^|\r\n)0\r\n\r\n/.exec(rest)
  return end === null ? -1 : end.index + end[0].length
}

/**
 * A target that speaks bytes and not HTTP: `script` is run for every request head, before its body is read,
 * and may write, stall, reset or lie as it likes.
 */
export async function startFaulty(
  t: Pick<TestContext, 'after'>,
  script: (request: WireRequest) => void,
): Promise<FaultyTarget> {
  const requests: WireRequest[] = []
  const open = new Set<Socket>()
  const waiting: { count: number; resolve: () => void }[] = []
  let accepted = 0

  const server = createServer((socket) => {
    accepted++
    open.add(socket)
    socket.on('close', () => open.delete(socket)).on('error', () => {})
    let text = ''
    let body: string | undefined
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
      for (;;) {
        if (body !== undefined) {
          const end = bodyEnd(body, text)
          if (end === -1) return
          text = text.slice(end)
          body = undefined
        }
        const end = text.indexOf('\r\n\r\n')
        if (end === -1) return
        const head = text.slice(0, end + 4)
        text = text.slice(end + 4)
        body = head
        const request = { socket, head, number: requests.length }
        requests.push(request)
        for (const one of waiting) if (one.count <= requests.length) one.resolve()
        script(request)
      }
    })
  })
  const port = await portFor(server)
  const close = (): Promise<void> => {
    for (const socket of open) socket.destroy()
    return new Promise((resolve) => server.close(() => resolve()))
  }
  t.after(close)
  return {
    origin: `http://127.0.0.1:${port}`,
    port,
    requests,
    open,
    close,
    get accepted() {
      return accepted
    },
    arrived: (count) =>
      new Promise((resolve) => {
        if (requests.length >= count) resolve()
        else waiting.push({ count, resolve })
      }),
  }
}

/** The bytes of a whole answer. */
export function wire(head: string, body = ''): string {
  return `${head.replaceAll('\n', '\r\n')}\r\n\r\n${body}`
}
