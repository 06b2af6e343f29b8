import { spawn } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { freePort } from '../support/ports.ts'
import { ownHouse } from '../support/process.ts'
import { startTarget } from '../support/target.ts'
import { until } from '../support/until.ts'

test('npm run dev takes an edit of the config up by itself', async (t) => {
  const target = await startTarget(t)
  const folder = await ownHouse(t, {
    'gateway.config.ts': `import { defineGateway } from './plugins/config/define.ts'
export default defineGateway({
  upstreams: { u: { targets: [{ origin: '${target.origin}' }] } },
  routes: [{ path: '/before', upstream: 'u' }],
})`,
  })
  const port = await freePort()
  const env = { ...process.env, PORT: String(port) }
  const child = spawn('npm', ['run', 'dev'], { cwd: folder, env, detached: true, stdio: 'ignore' })
  t.after(() => process.kill(-(child.pid as number), 'SIGKILL'))
  const status = (path: string): Promise<number> =>
    fetch(`http://localhost:${port}${path}`).then(
      (response) => response.status,
      () => 0,
    )
  await until('the gateway', async () => (await status('/before')) === 200, 30_000)
  const path = join(folder, 'gateway.config.ts')
  await writeFile(path, (await readFile(path, 'utf8')).replace('/before', '/after'))
  await until('the edit', async () => (await status('/after')) === 200, 30_000)
})
