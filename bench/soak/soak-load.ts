import http from 'node:http'
import { OpenLoop } from '../availability/open-loop.ts'
import { exchange } from './client.ts'
import type { Ledger } from './ledger.ts'
import type { PlannedRequest } from './request-plan.ts'

let loads = 0

/** Requests as planned, from now until it is stopped; the ledger hears of each. */
export class SoakLoad {
  readonly #agent = new http.Agent({ keepAlive: true, maxFreeSockets: 1000 })
  readonly #loop: OpenLoop<PlannedRequest>
  readonly #ledger: Ledger
  readonly #prefix = `s${loads++}`
  #open = 0
  #sent = 0
  #allDone: (() => void) | undefined

  constructor(port: number, ledger: Ledger, plan: Iterator<PlannedRequest, never>) {
    this.#ledger = ledger
    this.#loop = new OpenLoop(plan, (request, late) => this.#send(port, request, late))
  }

  /** Requests under way. */
  get open(): number {
    return this.#open
  }

  /** Sends nothing more; resolves once the last request has ended and its connections are closed. */
  async stop(): Promise<void> {
    this.#loop.stop()
    if (this.#open > 0) {
      await new Promise<void>((resolve) => {
        this.#allDone = resolve
      })
    }
    this.#agent.destroy()
  }

  #send(port: number, request: PlannedRequest, late: number): void {
    const id = `${this.#prefix}-${this.#sent++}`
    const at = this.#loop.elapsed()
    this.#open++
    this.#ledger.begin(request.kind, id, late)
    exchange(port, id, request, this.#agent, (fate, detail = '', attempts) => {
      this.#ledger.end({ id, kind: request.kind, fate, detail, at, end: this.#loop.elapsed(), attempts })
      if (--this.#open === 0) this.#allDone?.()
    })
  }
}
