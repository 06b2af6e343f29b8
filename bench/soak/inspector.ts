import { createWriteStream } from 'node:fs'
import { finished } from 'node:stream/promises'
import { get } from './plain-http.ts'

interface Reply {
  id?: number
  method?: string
  params?: Record<string, unknown>
  result?: Record<string, unknown>
  error?: { message: string }
}

/** What V8 and Node say of the process, right after a full garbage collection; bytes. */
export interface HeapState {
  used: number
  /** Buffers and whatever else hangs on objects of the heap. */
  external: number
  /** What the event loop waits for, by type. */
  resources: Record<string, number>
}

const answerWithinMs = 30_000
const state = `(() => {
  const resources = {}
  for (const type of process.getActiveResourcesInfo()) resources[type] = (resources[type] ?? 0) + 1
  return { external: process.memoryUsage().external, resources }
})()`

/** A session with a process that was started with --inspect. One for the whole run, so that it is no variable. */
export class Inspector {
  readonly #socket: WebSocket
  readonly #waiting = new Map<number, (reply: Reply) => void>()
  #hear: ((reply: Reply) => void) | undefined
  #calls = 0

  private constructor(socket: WebSocket) {
    this.#socket = socket
    socket.addEventListener('message', ({ data }) => {
      const reply = JSON.parse(String(data)) as Reply
      if (reply.id === undefined) this.#hear?.(reply)
      else this.#waiting.get(reply.id)?.(reply)
    })
    socket.addEventListener('close', () => {
      for (const settle of this.#waiting.values()) settle({ error: { message: 'the process has gone' } })
    })
  }

  static async connect(port: number): Promise<Inspector> {
    const list = JSON.parse((await get(port, '/json/list')).text) as { webSocketDebuggerUrl: string }[]
    const socket = new WebSocket(list[0]!.webSocketDebuggerUrl)
    await new Promise<void>((resolve, reject) => {
      socket.addEventListener('open', () => resolve())
      socket.addEventListener('error', () => reject(new Error('no session with the inspector')))
    })
    return new Inspector(socket)
  }

  async heap(): Promise<HeapState> {
    // Twice: what the first one finalizes is only then garbage.
    await this.#call('HeapProfiler.collectGarbage')
    await this.#call('HeapProfiler.collectGarbage')
    const { usedSize } = await this.#call('Runtime.getHeapUsage')
    const { result } = await this.#call('Runtime.evaluate', { expression: state, returnByValue: true })
    const { external, resources } = (result as { value: Omit<HeapState, 'used'> }).value
    return { used: usedSize as number, external, resources }
  }

  async snapshot(file: string): Promise<void> {
    const out = createWriteStream(file)
    this.#hear = ({ method, params }) => {
      if (method === 'HeapProfiler.addHeapSnapshotChunk') out.write(params?.['chunk'])
    }
    await this.#call('HeapProfiler.takeHeapSnapshot')
    this.#hear = undefined
    out.end()
    await finished(out)
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#socket.addEventListener('close', resolve))
    this.#socket.close()
    await closed
  }

  #call(method: string, params: object = {}): Promise<Record<string, unknown>> {
    const id = ++this.#calls
    return new Promise<Record<string, unknown>>((resolve, reject) => {
      const settle = (reply: Reply) => {
        clearTimeout(timer)
        this.#waiting.delete(id)
        if (reply.error === undefined) resolve(reply.result ?? {})
        else reject(new Error(`${method}: ${reply.error.message}`))
      }
      const timer = setTimeout(() => settle({ error: { message: 'no answer' } }), answerWithinMs)
      this.#waiting.set(id, settle)
      this.#socket.send(JSON.stringify({ id, method, params }))
    })
  }
}
