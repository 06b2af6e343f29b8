/** The logger's output: slow, standing still, on a full disk. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import http from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { type TestContext, test } from 'node:test'
import pino from 'pino'
import { takeOver } from '../../plugins/access-log/destination.ts'
import { freePort } from '../support/ports.ts'
import { ROOT } from '../support/process.ts'
import { startTarget } from '../support/target.ts'
import { until } from '../support/until.ts'
import { ask } from '../transport/support.ts'

/** A gateway whose standard output is `stdout`, with 64 KiB for what has not been taken. */
async function startWriting(t: TestContext, stdout: 'pipe' | number) {
  const target = await startTarget(t)
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const file = join(folder, 'gateway.config.ts')
  const admin = await freePort()
  await writeFile(
    file,
    `process.on('SIGWINCH', () => setImmediate(() => { throw new Error('a bug') }))
    export default {
      logs: { buffer: '64KiB' },
      admin: { port: ${admin} },
      server: { drain: 0 },
      upstreams: { u: { targets: [{ origin: '${target.origin}' }] } },
      routes: [{ path: '/*', upstream: 'u' }],
    }`,
  )
  const port = await freePort()
  const child = spawn(
    process.execPath,
    [
      ...['--import', join(ROOT, 'scripts/preload.js'), join(ROOT, 'node_modules/fastify-cli/cli.js')],
      ...['start', '-o', '-l', 'info', '-g', '40000', '-a', '127.0.0.1', '-p', String(port), 'app.ts'],
    ],
    { cwd: ROOT, env: { ...process.env, GATEWAY_CONFIG: file }, stdio: ['ignore', stdout, 'inherit'] },
  )
  t.after(() => child.kill('SIGKILL'))
  const ended = once(child, 'close').then(([code, signal]) => code ?? signal)
  const answers = () =>
    ask(port, { url: '/up' }).then(
      ({ status }) => status === 200,
      () => false,
    )
  await until('it answers', answers, 30_000)
  const agent = new http.Agent({ keepAlive: true, maxSockets: 8 })
  t.after(() => agent.destroy())
  const path = `/${'x'.repeat(8000)}`
  return {
    child,
    ended,
    /** So many requests with long lines; the statuses that there were. */
    async send(count: number): Promise<number[]> {
      const all = Array.from({ length: count }, async () => (await ask(port, { url: path, agent })).status)
      return [...new Set(await Promise.all(all))]
    },
    async lost(): Promise<number> {
      const { body } = await ask(admin, { url: '/metrics' })
      return Number(/^holdfast_log_lines_lost_total (\d+)$/m.exec(String(body))?.[1])
    },
  }
}

test('a log that nobody reads stops no request and no end, and what it lost is told when it is read again', async (t) => {
  const { child, ended, send } = await startWriting(t, 'pipe')
  const { stdout } = child as { stdout: Readable }
  let output = ''
  stdout.setEncoding('utf8').on('data', (chunk) => {
    output += chunk
  })
  await until('the first line', () => output.includes('"url":"/up"'))
  stdout.pause()
  // More than pipes and buffers between us can hold.
  assert.deepEqual(await send(400), [200])
  assert.ok(!output.includes('log lines were lost'))
  stdout.resume()
  // Each request is there or is among those that are told to be lost.
  const told = (): number =>
    output
      .split('\n')
      .slice(0, -1)
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter(({ url }) => url !== '/up')
      .reduce((sum, { msg, lines }) => sum + (msg === 'request' ? 1 : Number(lines ?? 0)), 0)
  await until('all are accounted for', () => told() === 400)
  assert.match(output, /"msg":"log lines were lost/)
  stdout.pause()
  assert.deepEqual(await send(400), [200])
  child.kill('SIGTERM')
  // It is read again only after the process has gone.
  await once(child, 'exit')
  stdout.resume()
  assert.equal(await ended, 0)
})

test('a full disk under the log freezes nothing: lines are lost and counted, and SIGTERM ends the process', async (t) => {
  const full = await open('/dev/full', 'w')
  t.after(() => full.close())
  const { child, ended, send, lost } = await startWriting(t, full.fd)
  assert.deepEqual(await send(60), [200])
  // Beyond the 64 KiB that may wait.
  await until('they are counted', async () => (await lost()) >= 60 - 9)
  assert.deepEqual(await send(1), [200])
  child.kill('SIGTERM')
  assert.equal(await ended, 0)
})

test('with a full disk under the log too, an error that nobody caught ends the process', async (t) => {
  const full = await open('/dev/full', 'w')
  t.after(() => full.close())
  const { child, ended } = await startWriting(t, full.fd)
  child.kill('SIGWINCH')
  assert.equal(await ended, 1)
})

test('what a disk had no room for is written when it has some again, in order and no line in pieces', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const good = await open(join(folder, 'log'), 'a+')
  const full = await open('/dev/full', 'w')
  t.after(() => Promise.all([good.close(), full.close()]))
  const destination = pino.destination({ dest: good.fd, sync: false }) as ReturnType<
    typeof pino.destination
  > & {
    fd: number
  }
  let drops = 0
  let drained = 0
  const took = takeOver(destination, 10_000, {
    lost: () => drops++,
    drained: () => drained++,
  })
  assert.ok(took)
  const log = pino({ base: null, timestamp: false }, destination)
  log.info('first')
  await until('it is written', () => drained > 0)
  destination.fd = full.fd
  for (let i = 0; i < 300; i++) log.info(`line ${i} ${'x'.repeat(100)}`)
  log.fatal('line 300: it does not wait for the disk')
  await once(destination, 'error')
  log.fatal('line 301: nor while it waits to try again')
  assert.ok(drops > 100 && drops < 300, `${drops}`)
  destination.fd = good.fd
  await until('there is room again', () => drained > 1)
  const told = (await readFile(join(folder, 'log'), 'utf8'))
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line).msg)
  assert.equal(told.length, 303 - drops)
  assert.deepEqual(
    told.slice(1).map((msg) => Number(msg.split(' ')[1])),
    Array.from({ length: 302 - drops }, (_, i) => i),
  )
})
