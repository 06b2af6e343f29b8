import { type ChildProcess, spawn } from 'node:child_process'
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export interface Command {
  file: string
  args: string[]
  env?: Record<string, string>
  cwd?: string
}

export interface Running {
  name: string
  /** Of the process and of its group. */
  pid: number
  /** Resolves with a reason when the process is gone. */
  gone: Promise<string>
  stdout(): string
  stderr(): string
}

const keptOutput = 20_000
/** Holdfast is started with a grace of 5 s; most are gone at once. */
const stopWithinMs = 6000

/** Everything that the benchmark starts: each in a process group of its own, pinned to a core. */
export class Processes {
  /** Removed by `stopAll`. */
  readonly directory = mkdtempSync(join(tmpdir(), 'holdfast-bench-'))
  readonly #children = new Set<ChildProcess>()
  #stopping = false

  start(name: string, core: number, command: Command): Running {
    if (this.#stopping) throw new Error('the benchmark is being stopped')
    const child = spawn('taskset', ['-c', String(core), command.file, ...command.args], {
      cwd: command.cwd ?? this.directory,
      env: { ...process.env, ...command.env },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#children.add(child)
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout = (stdout + text).slice(-keptOutput)
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(-keptOutput)
    })
    const gone = new Promise<string>((resolve) => {
      child.once('error', (error) => resolve(error.message))
      child.once('close', (code, signal) => resolve(signal ?? `exit code ${code}`))
    }).finally(() => this.#children.delete(child))
    return { name, pid: child.pid ?? -1, gone, stdout: () => stdout, stderr: () => stderr }
  }

  async stop(running: Running): Promise<void> {
    signalGroup(running.pid, 'SIGTERM')
    await Promise.race([running.gone, sleep(stopWithinMs)])
    signalGroup(running.pid, 'SIGKILL')
  }

  async stopAll(): Promise<void> {
    this.#stopping = true
    const children = [...this.#children]
    for (const child of children) signalGroup(child.pid, 'SIGTERM')
    for (const end = Date.now() + stopWithinMs; this.#children.size > 0 && Date.now() < end; ) await sleep(20)
    for (const child of children) signalGroup(child.pid, 'SIGKILL')
    rmSync(this.directory, { recursive: true, force: true })
  }

  /** The last resort, for `process.on('exit')`. */
  killAll(): void {
    for (const child of this.#children) signalGroup(child.pid, 'SIGKILL')
    rmSync(this.directory, { recursive: true, force: true })
  }
}

function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined || pid <= 0) return
  try {
    process.kill(-pid, signal)
  } catch {
    // gone already
  }
}

/** The path of an installed program, or undefined. */
export function findProgram(name: string): string | undefined {
  for (const directory of [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin']) {
    const path = join(directory, name)
    try {
      accessSync(path, constants.X_OK)
      return path
    } catch {
      // not here
    }
  }
  return undefined
}

/** Distinct ports of 127.0.0.1 that are free now. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer())
  try {
    return await Promise.all(
      servers.map(
        (server) =>
          new Promise<number>((resolve, reject) => {
            server.once('error', reject)
            server.listen(0, '127.0.0.1', () => {
              const address = server.address()
              if (address === null || typeof address === 'string') reject(new Error('no port'))
              else resolve(address.port)
            })
          }),
      ),
    )
  } finally {
    await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  }
}

/** Resolves once something accepts connections; rejects with the process's last words when it dies first. */
export async function listening(running: Running, port: number, withinMs = 15_000): Promise<void> {
  let gone: string | undefined
  void running.gone.then((reason) => {
    gone = reason
  })
  for (const end = Date.now() + withinMs; Date.now() < end; await sleep(50)) {
    if (gone !== undefined) break
    if (await accepts(port)) return
  }
  const words = `${running.stderr()}${running.stdout()}`.trim().slice(-2000)
  throw new Error(`${running.name} does not listen (${gone ?? `waited ${withinMs} ms`})\n${words}`)
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    const answer = (yes: boolean) => {
      socket.destroy()
      resolve(yes)
    }
    socket.once('connect', () => answer(true)).once('error', () => answer(false))
  })
}
