import type { ChildProcess } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import http from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { healthAnswer, healthPath } from './answer.ts'
import type { Children } from './children.ts'
import type { Mode } from './modes.ts'

interface Running {
  child: ChildProcess
  gone: Promise<string>
}

const script = join(import.meta.dirname, 'target.ts')
const filePrefix = 'executed-'
const healthyWithinMs = 10_000
/** What a thawed target finds in its buffers it executes within this time (ms). */
const settleMs = 1000

/** The three targets, told apart by their index, and what can be done to them. */
export class Targets {
  readonly ports: readonly number[]
  readonly #children: Children
  readonly #latency: number
  readonly #running: (Running | undefined)[] = []
  #starts = 0

  /** @param latency the longest that they take to answer (ms) */
  constructor(children: Children, ports: readonly number[], latency = 0) {
    this.#children = children
    this.#latency = latency
    this.ports = ports
  }

  /** Resolves once it listens. */
  async start(index: number): Promise<void> {
    const file = join(this.#children.directory, `${filePrefix}${index}-${this.#starts++}`)
    const running = this.#children.startTarget(script, [
      String(this.ports[index]),
      file,
      String(this.#latency),
    ])
    this.#running[index] = running
    await heard(running, 'listening')
  }

  /** Resolves once it is gone. */
  async kill(index: number): Promise<void> {
    await this.#end(index, 'SIGKILL')
  }

  /** Lets it finish what it has. Resolves once it is gone. */
  async stop(index: number): Promise<void> {
    await this.#end(index, 'SIGTERM')
  }

  freeze(index: number): void {
    this.#at(index).child.kill('SIGSTOP')
  }

  thaw(index: number): void {
    this.#at(index).child.kill('SIGCONT')
  }

  /** Resolves once it is in that mode. */
  async turn(index: number, mode: Mode | 'flapping'): Promise<void> {
    const running = this.#at(index)
    const done = heard(running, 'mode')
    running.child.send({ mode })
    await done
  }

  /** Resolves when each answers, without a gateway, and has executed what it was sent. Rejects if one does not. */
  async settled(): Promise<void> {
    for (const [index, port] of this.ports.entries()) {
      const end = Date.now() + healthyWithinMs
      while (!(await isHealthy(port))) {
        if (Date.now() > end) throw new Error(`target ${index} does not recover`)
        await sleep(50)
      }
    }
    await sleep(settleMs)
  }

  /** How often each id was executed, over all targets since the start of the run. */
  executions(): Map<string, number> {
    const counts = new Map<string, number>()
    for (const name of readdirSync(this.#children.directory)) {
      if (!name.startsWith(filePrefix)) continue
      for (const id of readFileSync(join(this.#children.directory, name), 'latin1').split('\n')) {
        if (id !== '') counts.set(id, (counts.get(id) ?? 0) + 1)
      }
    }
    return counts
  }

  async #end(index: number, signal: NodeJS.Signals): Promise<void> {
    const { child, gone } = this.#at(index)
    child.kill(signal)
    await gone
    this.#running[index] = undefined
  }

  #at(index: number): Running {
    const running = this.#running[index]
    if (running === undefined) throw new Error(`target ${index} is not running`)
    return running
  }
}

/** The next message with this key. */
function heard({ child, gone }: Running, key: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const listen = (message: Record<string, unknown>) => {
      if (typeof message['error'] === 'string') reject(new Error(`a target: ${message['error']}`))
      if (!(key in message)) return
      child.off('message', listen)
      resolve()
    }
    child.on('message', listen)
    void gone.then((reason) => reject(new Error(`a target ended (${reason})`)))
  })
}

function isHealthy(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    http
      .get({ host: '127.0.0.1', port, path: healthPath, agent: false, timeout: 1000 }, (response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (part: string) => {
          text += part
        })
        response.once('end', () => resolve(response.statusCode === 200 && text === healthAnswer))
        response.once('error', () => resolve(false))
      })
      .once('timeout', function (this: http.ClientRequest) {
        this.destroy()
      })
      .once('error', () => resolve(false))
  })
}
