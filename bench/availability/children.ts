import { type ChildProcess, fork, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Command, Running } from '../proxy/processes.ts'

const keptOutput = 20_000
const stopWithinMs = 6000

export type Hear = (stream: 'stdout' | 'stderr', text: string) => void

/**
 * The gateways and the targets, each in a process group of its own. Unlike those of the CPU benchmark they are
 * not pinned to cores: what clients wait for includes the gateway's helper threads, which would then be in its way.
 */
export class Children {
  /** Removed at the end. */
  readonly directory = mkdtempSync(join(tmpdir(), 'holdfast-availability-'))
  readonly #gateways = new Set<ChildProcess>()
  readonly #targets = new Set<ChildProcess>()
  #stopping = false

  /** @param hear is told all that it writes, to stdout and to stderr */
  startGateway(name: string, command: Command, hear: Hear = () => {}): Running {
    this.#refuseWhenStopping()
    const child = spawn(command.file, command.args, {
      cwd: command.cwd ?? this.directory,
      env: { ...process.env, ...command.env },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let [stdout, stderr] = ['', '']
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout = (stdout + text).slice(-keptOutput)
      hear('stdout', text)
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(-keptOutput)
      hear('stderr', text)
    })
    const gone = this.#keep(child, this.#gateways)
    return { name, pid: child.pid ?? -1, gone, stdout: () => stdout, stderr: () => stderr }
  }

  /** A Node script with an IPC channel. It is killed without further ado at the end. */
  startTarget(script: string, args: string[]): { child: ChildProcess; gone: Promise<string> } {
    this.#refuseWhenStopping()
    const child = fork(script, args, { detached: true, execArgv: [] })
    return { child, gone: this.#keep(child, this.#targets) }
  }

  async stopAll(): Promise<void> {
    this.#stopping = true
    for (const child of this.#gateways) signalGroup(child, 'SIGTERM')
    for (const end = Date.now() + stopWithinMs; this.#gateways.size > 0 && Date.now() < end; ) await sleep(20)
    this.killAll()
  }

  /** At once; for `process.on('exit')` too. Only SIGKILL ends a process that SIGSTOP has frozen. */
  killAll(): void {
    this.#stopping = true
    for (const child of [...this.#gateways, ...this.#targets]) signalGroup(child, 'SIGKILL')
    rmSync(this.directory, { recursive: true, force: true })
  }

  #refuseWhenStopping(): void {
    if (this.#stopping) throw new Error('the benchmark is being stopped')
  }

  #keep(child: ChildProcess, children: Set<ChildProcess>): Promise<string> {
    children.add(child)
    return new Promise<string>((resolve) => {
      child.once('error', (error) => resolve(error.message))
      child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`))
    }).finally(() => children.delete(child))
  }
}

function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, signal)
  } catch {
    // gone already
  }
}
