import fp from 'fastify-plugin'
import type { CheckResult } from './check-state.ts'
import { Checker } from './checker.ts'
import { checkGrpc } from './checks/grpc.ts'
import { checkHttp } from './checks/http.ts'
import { type Limits, reasonFor } from './checks/run.ts'
import { type Address, atPort } from './checks/socket.ts'
import { checkTcp } from './checks/tcp.ts'
import { checkCollectors } from './collectors.ts'
import { type Settings, settingsOf } from './settings.ts'

function checkOnce(
  address: Address,
  settings: Settings,
  http2: boolean,
  limits: Limits,
): Promise<CheckResult> {
  switch (settings.type) {
    case 'tcp':
      return checkTcp(address, limits)
    case 'grpc':
      return checkGrpc(address, settings, limits)
    case 'http':
      return checkHttp(address, { ...settings, http2 }, limits)
  }
}

export default fp(
  async (app) => {
    const all = new Map<string, Settings>()
    for (const [name, { healthCheck }] of Object.entries(app.gateway.upstreams)) {
      if (healthCheck !== undefined) all.set(name, settingsOf(healthCheck))
    }
    if (all.size === 0) return

    const checker = new Checker({
      context: { now: () => performance.now(), random: () => Math.random() },
      after(ms, run) {
        const timer = setTimeout(run, ms).unref()
        return () => clearTimeout(timer)
      },
      check(target, signal) {
        const settings = all.get(target.upstream) as Settings
        const { http2 } = app.gateway.upstreams[target.upstream] as { http2: boolean }
        const { timeout, port } = settings
        try {
          return checkOnce(atPort(app.targetAddress(target), port), settings, http2, { timeout, signal })
        } catch (error) {
          // Its TLS files may have become unreadable since the start.
          return Promise.resolve({ ok: false, why: reasonFor(error) })
        }
      },
      turned(target, name, why) {
        app.upstreams.changed(target)
        const level = name === 'healthy' ? 'info' : 'warn'
        app.upstreams.announce({ name, upstream: target.upstream, target, by: 'health-check', why, level })
      },
    })

    for (const [name, { plan }] of all) {
      for (const target of app.upstreams.upstream(name).targets) checker.watch(target, plan)
    }
    app.upstreams.onTargetChange(({ kind, target }) => {
      const settings = all.get(target.upstream)
      if (settings === undefined) return
      if (kind === 'added') checker.watch(target, settings.plan)
      else if (kind === 'removed') checker.forget(target)
    })
    app.upstreams.addHealthSource({
      name: 'health-check',
      allows: (target) => (checker.status(target) ?? 'healthy') === 'healthy',
      veto: (target) => (checker.status(target) === 'unchecked' ? 'unchecked' : 'unhealthy'),
    })

    for (const collector of checkCollectors(checker.watched)) app.upstreams.measure(collector)

    app.addHook('onListen', async () => checker.start())
    // Not earlier: during the drain requests are still taken, and have to be kept from targets that fail.
    app.addHook('onClose', async () => checker.stop())
  },
  { name: 'health-check', dependencies: ['config', 'upstreams', 'transport'] },
)
