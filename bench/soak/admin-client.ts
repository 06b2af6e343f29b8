import { setTimeout as sleep } from 'node:timers/promises'
import { ask } from './plain-http.ts'

export interface TargetState {
  origin: string
  weight: number
  tier: number
  inflight: number
  draining: boolean
  usable: boolean
}

const upstream = '/upstreams/targets'
const pollMs = 100

/** The gateway's admin listener, as an operator uses it. Rejects when it does not do as it is told. */
export class AdminClient {
  readonly #port: number

  constructor(port: number) {
    this.#port = port
  }

  async targets(): Promise<TargetState[]> {
    const { targets } = (await this.#do('GET', upstream, 200)) as { targets: TargetState[] }
    return targets
  }

  async add(origin: string, tier: number): Promise<void> {
    await this.#do('POST', `${upstream}/targets`, 201, { origin, tier })
  }

  async change(origin: string, to: { weight?: number; draining?: boolean }): Promise<void> {
    await this.#do('PATCH', pathOf(origin), 200, to)
  }

  /** Resolves once it is gone, with how long that took (ms). Rejects if it stays beyond the deadline. */
  async remove(origin: string, withinMs: number): Promise<number> {
    await this.#do('DELETE', pathOf(origin), 202)
    const begin = performance.now()
    while (true) {
      const still = (await this.targets()).find((target) => target.origin === origin)
      const ms = performance.now() - begin
      if (still === undefined) return ms
      if (ms > withinMs) {
        throw new Error(
          `${origin} is still there ${withinMs} ms after its removal, in flight ${still.inflight}`,
        )
      }
      await sleep(pollMs)
    }
  }

  async #do(method: string, path: string, expected: number, body?: object): Promise<unknown> {
    const { status, text } = await ask(this.#port, method, path, body)
    if (status !== expected)
      throw new Error(`admin: ${method} ${path} was answered ${status}: ${text.slice(0, 200)}`)
    return JSON.parse(text)
  }
}

function pathOf(origin: string): string {
  return `${upstream}/targets/${encodeURIComponent(origin)}`
}
