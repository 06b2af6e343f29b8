import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { TestContext } from 'node:test'
import { freePort } from './ports.ts'

export const ROOT = join(import.meta.dirname, '../..')

/** A copy of the gateway in a folder of its own, as a user's checkout would be. */
export async function copyHouse(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-'))
  for (const part of [
    'app.ts',
    'gateway.config.ts',
    'plugins',
    'routes',
    'scripts',
    'package.json',
    'tsconfig.json',
  ]) {
    await cp(join(ROOT, part), join(folder, part), { recursive: true })
  }
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  return folder
}

/** Such a copy, with files of the test's own; gone when the test ends. */
export async function ownHouse(
  t: Pick<TestContext, 'after'>,
  files: Readonly<Record<string, string>> = {},
): Promise<string> {
  const folder = await copyHouse()
  t.after(() => rm(folder, { recursive: true, force: true }))
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), text)
  }
  return folder
}

export interface GatewayProcess {
  readonly url: string
  readonly port: number
  readonly child: ChildProcess
  /** Log lines so far, parsed where they are JSON. */
  readonly lines: readonly Record<string, unknown>[]
  /** Everything that was printed. */
  output(): string
  /** Resolves with the exit code. */
  readonly ended: Promise<number | null>
}

/**
 * Runs `fastify start` as `npm start` does, in `folder`, and waits until it listens or ends.
 * @param config text of the config file; default: the one in the folder
 * @param under a program and its arguments, which runs the command that follows them
 */
export async function startProcess(
  t: Pick<TestContext, 'after'>,
  {
    folder = ROOT,
    config,
    flags = [],
    under = [],
  }: { folder?: string; config?: string; flags?: readonly string[]; under?: readonly string[] } = {},
): Promise<GatewayProcess> {
  const port = await freePort()
  const env: NodeJS.ProcessEnv = { ...process.env, PORT: String(port) }
  if (config !== undefined) {
    const home = await mkdtemp(join(tmpdir(), 'holdfast-config-'))
    t.after(() => rm(home, { recursive: true, force: true }))
    const path = join(home, 'gateway.config.ts')
    await writeFile(path, config.replaceAll("'./plugins/", `'${folder}/plugins/`))
    env['GATEWAY_CONFIG'] = path
  }
  const cli = join(ROOT, 'node_modules/fastify-cli/cli.js')
  const cache = ['--import', join(folder, 'scripts/preload.js')]
  const args = ['start', '-o', '-l', 'info', '-g', '40000', '-a', '127.0.0.1', ...flags, 'app.ts']
  const [program, ...words] = [...under, process.execPath, ...cache, cli, ...args] as [string, ...string[]]
  const child = spawn(program, words, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] })
  t.after(() => child.kill('SIGKILL'))
  let output = ''
  const lines: Record<string, unknown>[] = []
  let rest = ''
  let listening = (): void => {}
  const up = new Promise<void>((resolve) => {
    listening = resolve
  })
  const take = (chunk: Buffer): void => {
    output += chunk
    const pieces = (rest + chunk).split('\n')
    rest = pieces.pop() as string
    for (const piece of pieces) {
      if (!piece.startsWith('{')) continue
      const line = JSON.parse(piece) as Record<string, unknown>
      lines.push(line)
      // The admin listener says so too, and earlier.
      const { msg } = line as { msg?: unknown }
      if (String(msg).startsWith('Server listening') && String(msg).endsWith(`:${port}`)) listening()
    }
  }
  child.stdout.on('data', take)
  child.stderr.on('data', take)
  const ended = once(child, 'close').then(([code]) => code as number | null)
  await Promise.race([up, ended])
  return { url: `http://127.0.0.1:${port}`, port, child, lines, output: () => output, ended }
}
