import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Target, UpstreamRegistry } from '../../plugins/upstreams/contract.ts'
import { readGateway } from '../support/config.ts'
import { startTarget } from '../support/target.ts'
import { until } from '../support/until.ts'
import { ask, gatewayTo } from '../transport/support.ts'

async function ramping(t: Parameters<typeof startTarget>[0], slowStart: unknown) {
  const targets = [await startTarget(t), await startTarget(t)] as const
  const changes: { target: Target; at: number }[] = []
  const gateway = await gatewayTo(t, [targets[0].origin, targets[1].origin], {
    upstream: { slowStart },
    use: async (app) => {
      const registry = app.upstreams as UpstreamRegistry
      const changed = registry.changed.bind(registry)
      registry.changed = (target) => {
        changes.push({ target, at: performance.now() })
        changed(target)
      }
    },
  })
  const main = gateway.app.upstreams.upstream('main')
  const announce = (name: string, target: Target) =>
    gateway.app.upstreams.announce({ name, upstream: 'main', target, by: 'test', why: '', level: 'info' })
  /** Shares as the registry has them, its snapshot brought up to date. */
  const shares = () => {
    main.eligible()
    return main.targets.map(({ share }) => share)
  }
  return { ...gateway, targets, changes, main, announce, shares }
}

test('a target that returns ramps up, is told of step by step, and then no more', async (t) => {
  const begun = t.mock.method(globalThis, 'setInterval')
  const ended = t.mock.method(globalThis, 'clearInterval')
  const timers = () => {
    const own = begun.mock.calls.filter(({ arguments: [, ms] }) => ms === 50).map(({ result }) => result)
    const over = new Set<unknown>(ended.mock.calls.map(({ arguments: [timer] }) => timer))
    return [own.length, own.filter((timer) => over.has(timer)).length]
  }
  const { main, announce, shares, changes } = await ramping(t, '600ms')
  const [first] = main.targets as [Target, Target]
  assert.deepEqual(shares(), [1, 1], 'nobody ramps at the start')
  announce('healthy', first)
  assert.deepEqual(shares(), [1, 1])
  await sleep(100)
  assert.equal(changes.length, 0)
  assert.deepEqual(timers(), [0, 0], 'no timer runs while nobody ramps')
  announce('unhealthy', first)
  announce('healthy', first)
  assert.deepEqual(shares(), [0.1, 1])
  assert.deepEqual(timers(), [1, 0])
  await until('half of its traffic', () => (shares()[0] as number) >= 0.5)
  await until('all of its traffic', () => shares()[0] === 1)
  await sleep(80)
  const { length } = changes
  assert.ok(length >= 5 && length <= 14, `${length} changes in 600 ms, at least 50 ms apart`)
  assert.ok(changes.every(({ target }) => target === first))
  await sleep(150)
  assert.equal(changes.length, length)
  assert.deepEqual(timers(), [1, 1])
})

test('a target that is added gets a tenth of its traffic at first', async (t) => {
  const { main, shares, port, targets } = await ramping(t, { window: '1m', min: 0.1 })
  const added = await startTarget(t)
  main.add({ origin: added.origin })
  assert.deepEqual(shares(), [1, 1, 0.1])
  for (let i = 0; i < 120; i++) await ask(port)
  assert.ok(added.seen.length < 20, `${added.seen.length} of 120`)
  assert.equal(targets[0].seen.length + targets[1].seen.length + added.seen.length, 120)
})

test('the config: a bare window, or all of it', async () => {
  const read = async (slowStart?: unknown) => {
    const main = {
      targets: [{ origin: 'http://10.0.0.1' }],
      ...(slowStart === undefined ? {} : { slowStart }),
    }
    const { config, problems } = await readGateway({ upstreams: { main }, routes: [] }, 'test.config.ts')
    return problems[0]?.message ?? config.upstreams['main']?.slowStart
  }
  assert.equal(await read(), undefined)
  assert.deepEqual(await read('30s'), { window: 30_000, aggression: 1, min: 0.1 })
  assert.deepEqual(await read({ window: '1m', aggression: 2, min: 0.2 }), {
    window: 60_000,
    aggression: 2,
    min: 0.2,
  })
  assert.match(String(await read({ window: '1m', min: 0 })), /must be at least 0.01/)
  assert.match(String(await read('soon')), /must be a duration/)
})
