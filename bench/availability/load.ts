import http from 'node:http'
import { answerTo, type Kind, order, pathOf } from './answer.ts'
import { OpenLoop } from './open-loop.ts'
import { type Arrival, arrivals, dice } from './schedule.ts'

/** What became of one request. */
export interface Sample {
  id: string
  kind: Kind
  /** When it should have been sent, in ms since the load began. */
  at: number
  /** From then until it was answered or had failed (ms). */
  ms: number
  /** How long after `at` it was really sent (ms): the load generator's own delay, part of `ms`. */
  late: number
  /** Undefined if the right answer came. */
  failure: string | undefined
}

export interface LoadSetting {
  port: number
  perSecond: number
  seed: number
  /** Of the ids, which are unique in the run. */
  prefix: string
}

const patienceMs = 5000

/**
 * Sends at its own times, whether or not answers come (open loop), and counts from the time at which a request
 * should have been sent: a gateway that stalls cannot slow down the questions about it.
 */
export class Load {
  readonly #setting: LoadSetting
  readonly #agent = new http.Agent({ keepAlive: true })
  readonly #samples: Sample[] = []
  readonly #loop: OpenLoop<Arrival>
  #open = 0
  #sent = 0
  #allDone: (() => void) | undefined

  constructor(setting: LoadSetting) {
    this.#setting = setting
    this.#loop = new OpenLoop(arrivals(setting.perSecond, dice(setting.seed)), (arrival, late) =>
      this.#send(arrival, late),
    )
  }

  /** Milliseconds since the load began. */
  elapsed(): number {
    return this.#loop.elapsed()
  }

  /** Sends nothing more; resolves with all samples once the last request has been answered or has failed. */
  async stop(): Promise<Sample[]> {
    this.#loop.stop()
    if (this.#open > 0) {
      await new Promise<void>((resolve) => {
        this.#allDone = resolve
      })
    }
    this.#agent.destroy()
    return this.#samples
  }

  #send({ at, kind }: Arrival, late: number): void {
    const id = `${this.#setting.prefix}-${this.#sent++}`
    this.#open++
    exchange(this.#agent, this.#setting.port, kind, id, (failure) => {
      this.#samples.push({ id, kind, at, ms: this.elapsed() - at, late, failure })
      if (--this.#open === 0) this.#allDone?.()
    })
  }
}

/** One request; `done` is called once, with the reason if it failed. */
function exchange(
  agent: http.Agent,
  port: number,
  kind: Kind,
  id: string,
  done: (failure?: string) => void,
): void {
  let over = false
  const finish = (failure?: string) => {
    if (over) return
    over = true
    clearTimeout(timer)
    if (failure !== undefined) request.destroy()
    done(failure)
  }
  const timer = setTimeout(() => finish('time-out'), patienceMs)
  const body = kind === 'orders' ? order(id) : undefined
  const request = http.request({
    host: '127.0.0.1',
    port,
    agent,
    path: pathOf(kind, id),
    method: body === undefined ? 'GET' : 'POST',
    headers: body === undefined ? {} : { 'content-length': body.length, 'content-type': 'text/plain' },
  })
  request.on('error', (error: NodeJS.ErrnoException) => finish(error.code ?? error.message))
  request.on('response', (response) => {
    const status = response.statusCode ?? 0
    let text = ''
    response.setEncoding('latin1').on('data', (part: string) => {
      text += part
    })
    response.on('error', () => finish('body cut'))
    response.on('close', () => finish('body cut'))
    response.on('end', () => {
      if (!response.complete) finish('body cut')
      else if (status >= 400) finish(String(status))
      else finish(text === answerTo(kind, id) ? undefined : 'wrong body')
    })
  })
  request.end(body)
}
