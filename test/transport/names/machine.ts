/** For a gateway as a process: a machine with an /etc/hosts and a resolver of the test's own. */
import { spawnSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { needs } from '../../support/tools.ts'

// Suites that run side by side each have their own.
const RESOLVER = `127.77.${process.pid % 200}.${1 + ((process.pid >> 8) % 200)}`

/** Whether mounts of one's own can be had, which takes root. In CI nothing is skipped. */
export function mayMount(): { skip: string | false } {
  const { skip } = needs('unshare', 'mount')
  if (skip !== false || process.env['CI'] === 'true') return { skip }
  return { skip: spawnSync('unshare', ['-m', 'true']).status !== 0 && 'no mounts of its own: it takes root' }
}

/** A resolver that never answers. */
export async function deaf(t: TestContext): Promise<{ questions: () => number }> {
  let questions = 0
  const socket = createSocket('udp4', () => questions++)
  await new Promise<void>((resolve) => socket.bind(53, RESOLVER, resolve))
  t.after(() => new Promise<void>((resolve) => socket.close(resolve)))
  return { questions: () => questions }
}

export async function ownMachine(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-etc-'))
  t.after(() => rm(folder, { recursive: true }))
  const [hosts, resolv] = [join(folder, 'hosts'), join(folder, 'resolv.conf')]
  const own = await readFile('/etc/hosts', 'utf8')
  const put = (lines: readonly string[]): Promise<void> => writeFile(hosts, `${own}\n${lines.join('\n')}\n`)
  await writeFile(resolv, `nameserver ${RESOLVER}\noptions timeout:1 attempts:1\n`)
  const mounts = `mount --bind ${hosts} /etc/hosts && mount --bind ${resolv} /etc/resolv.conf && exec "$0" "$@"`
  return { put, under: ['unshare', '-m', 'sh', '-c', mounts] }
}
