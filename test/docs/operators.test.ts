/** docs/admin.md and the part of docs/metrics.md for extenders, as an operator would follow them: by copy and paste. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { freePort } from '../support/ports.ts'
import { ownHouse, ROOT, startProcess } from '../support/process.ts'
import { startTarget } from '../support/target.ts'
import { until } from '../support/until.ts'
import { snippetsOf } from './snippets.ts'

const run = promisify(execFile)

test('each command of docs/admin.md does what it says, and the metric of docs/metrics.md is on the page', async (t) => {
  const page = await readFile(join(ROOT, 'docs/admin.md'), 'utf8')
  const targets = [await startTarget(t), await startTarget(t)]
  const port = await freePort()
  const snippets = [...(await snippetsOf('docs/metrics.md')), ...(await snippetsOf('docs/admin.md'))]
  const files = Object.fromEntries(snippets.map(({ path, code }) => [path, code]))
  const config = (files['gateway.config.ts'] as string)
    .replace('9901', String(port))
    .replace(/http:\/\/10\.0\.0\.[12]:8080/g, () => targets.shift()?.origin as string)
  const folder = await ownHouse(t, { ...files, 'gateway.config.ts': config })
  const { url, lines, output } = await startProcess(t, { folder })

  const commands = [...page.matchAll(/^curl .*$/gm)].map(([line]) => line)
  let id = ''
  const curl = async (command: string): Promise<string> => {
    const line = command.replace('curl ', 'curl -fsS --max-time 10 ').replaceAll('9901', String(port))
    const { stdout } = await run('sh', ['-c', line], { env: { ...process.env, id } }).catch((error) =>
      assert.fail(`${command}\n${error.stderr}\n${output()}`),
    )
    if (stdout.startsWith('{"')) id = JSON.parse(stdout).id ?? id
    return stdout
  }
  const said = new Map<string, string>()
  for (const command of commands) said.set(command, await curl(command))
  const of = (part: string): string =>
    said.get(commands.find((one) => one.includes(part)) as string) as string
  assert.deepEqual(JSON.parse(of('"zone": "a"')), {
    ...{ origin: 'http://10.0.0.3:8080', weight: 2, tier: 0, zone: 'a' },
    ...{ inflight: 0, draining: false, share: 1, usable: true },
  })
  assert.equal(JSON.parse(of('"weight": 1 }')).weight, 1)
  assert.equal(JSON.parse(of('"draining": true')).draining, true)
  assert.equal(JSON.parse(of('"draining": false')).draining, false)
  assert.match(of('/metrics'), /^# TYPE holdfast_requests_total counter$/m)
  assert.deepEqual(JSON.parse(of('targets=false')).upstreams[0].targets, [])
  assert.equal(JSON.parse(of('9901/alerts')).alerts[0].name, 'failing')
  assert.equal(JSON.parse(of('whoami')).ip, '127.0.0.1')
  // All is as it was before: what was added was removed.
  assert.equal(JSON.parse(await curl('curl http://127.0.0.1:9901/upstreams/users')).targets.length, 2)
  assert.deepEqual(JSON.parse(await curl('curl http://127.0.0.1:9901/alerts')).silences, [])
  assert.deepEqual(JSON.parse(await curl('curl http://127.0.0.1:9901/auth/revocations')).revocations, [])
  await curl("curl -H 'Host: gateway-1:9901' http://127.0.0.1:9901/metrics")

  // Every endpoint of the tables, and every event and field that the page names, is one.
  const events = /Each change is an event.*?: (.*?), each with/.exec(page)?.[1]?.match(/[a-z-]+(?=`)/g)
  assert.deepEqual(new Set(lines.filter(({ by }) => by === 'admin').map(({ msg }) => msg)), new Set(events))
  const changes = commands.filter((one) => one.includes('--json') || one.includes('-X '))
  await until('a line of each change', () => {
    const told = lines.filter(({ msg }) => msg === 'admin request')
    return told.length === changes.length && told.every(({ client }) => client === '127.0.0.1')
  })

  for (const agent of ['legacy/1.0', 'modern/2.0'])
    assert.equal((await fetch(`${url}/users/1`, { headers: { 'user-agent': agent } })).status, 200)
  await until('the metric of the example', async () =>
    /^holdfast_legacy_clients_total\{route="\/users\/\*"\} 1$/m.test(
      await curl('curl http://127.0.0.1:9901/metrics'),
    ),
  )
})
