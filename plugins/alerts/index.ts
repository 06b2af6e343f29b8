import type { Server } from 'node:net'
import { hostname } from 'node:os'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { decorated } from '../config/decorated.ts'
import type { Problem } from '../config/errors.ts'
import { messageOf } from '../config/messages.ts'
import type { Measures } from '../upstreams/measures.ts'
import { collectorsOf, Tally } from './collectors.ts'
import { addEndpoints } from './endpoints.ts'
import { countersFrom } from './engine/sources.ts'
import { gaugesOf, Heard } from './engine/states.ts'
import { outlets } from './outlets.ts'
import { compileRules, thresholdsOf } from './rules/compile.ts'
import { AlertService } from './service.ts'
import { Shedding } from './shedding.ts'

/** On a stop, what is still to be told has this long. */
const LAST_TRY_MS = 2000

/** The host's name and the port, or the path of a socket: the same after the next start. */
const instanceAt = (address: ReturnType<Server['address']>): string =>
  `${hostname()}:${typeof address === 'object' ? address?.port : address}`

/** Has the limits of the rules counted exactly. For when all plugins are loaded: metrics may come after this one. */
function nameThresholds(
  measures: Measures | undefined,
  rules: Parameters<typeof thresholdsOf>[0],
): Problem[] {
  try {
    for (const threshold of thresholdsOf(rules)) measures?.threshold(threshold)
    return []
  } catch (error) {
    return [{ path: 'alerts.rules', message: messageOf(error) }]
  }
}

export default fp(
  async (app) => {
    const { alerts, upstreams } = app.gateway
    app.checkGateway((written) =>
      written.alerts === undefined || app.hasDecorator('measures')
        ? []
        : [
            {
              path: 'alerts',
              message: 'needs the numbers that plugins/metrics counts, and it is not there; put it back',
            },
          ],
    )
    if (alerts === undefined) return
    const rules = compileRules(alerts.rules)
    app.checkGateway(() => nameThresholds(decorated<Measures>(app, 'measures'), rules))

    const heard = new Heard()
    app.upstreams.onEvent((event) => heard.hear(event))
    app.upstreams.onTargetChange(({ kind, target }) => {
      if (kind === 'removed') heard.forget(target)
    })
    const gauge = gaugesOf(
      app.upstreams,
      heard,
      (name) => {
        const { limits } = upstreams[name] as (typeof upstreams)[string]
        return limits.connections + limits.queue
      },
      () => {
        const { ends } = app.certificates
        if (ends.length === 0) return undefined
        return Math.min(...ends.map(({ at }) => at)) - Date.now() / 1000
      },
    )

    const rateLimited = new Map(app.compiledRoutes.map(({ name }) => [name, 0]))
    app.onRequestEnd((request) => {
      // Undefined where the plugin that keeps it has been taken out.
      const failure = (request.failure ?? null) as { code?: string } | null
      if (failure?.code !== 'GTW_RATE_LIMITED') return
      const route = request.routeOptions.config.gateway?.name
      if (route !== undefined) rateLimited.set(route, (rateLimited.get(route) ?? 0) + 1)
    })

    const shedding = new Shedding(() => Math.random())
    if (rules.some(({ action }) => action?.kind === 'shed')) {
      const seconds = Math.max(1, Math.ceil(alerts.evaluateEvery / 1000))
      app.addGuard({
        name: 'alerts',
        stage: 'address',
        forRoute: (route) => shedding.guard(route, () => app.splitOf(route), seconds),
      })
    }

    const notifications = new Tally()
    const actions = new Tally()
    const stopping = new AbortController()
    let service: AlertService | undefined
    let timer: NodeJS.Timeout | undefined
    let instance = alerts.instance ?? hostname()

    // Not earlier: metrics and the admin listener may have been loaded after this.
    app.addHook('onReady', async () => {
      const measures = decorated<Measures>(app, 'measures') as Measures
      const made = new AlertService(
        alerts,
        rules,
        alerts.silences.map((silence) => ({ ...silence, until: Date.parse(silence.until) })),
        { gauge, counter: countersFrom(measures, rateLimited) },
        {
          ...outlets(app.log, stopping.signal),
          now: () => performance.now(),
          timeOfDay: () => Date.now(),
          instance: () => instance,
          random: () => Math.random(),
          written: (time) => new Date(time).toISOString(),
          after(ms, run) {
            const pause = setTimeout(run, ms).unref()
            return () => clearTimeout(pause)
          },
          upstreams: app.upstreams,
          shedding,
          setSplit: (route, shares) => app.setSplit(route, shares),
          changed({ kind, alert: { rule, labels, value } }) {
            const level = kind === 'fired' ? 'warn' : 'info'
            const what = kind === 'fired' ? 'an alert fires' : 'an alert is resolved'
            app.log[level]({ alert: rule.name, labels, value }, what)
          },
          told(receiver, result, why) {
            notifications.add(receiver, result)
            if (why !== '') app.log.warn({ receiver, result, why }, 'an alert was not delivered')
          },
          acted(rule, what, why) {
            actions.add(rule.name, what)
            const level = what === 'done' || what === 'refused' ? 'warn' : 'info'
            app.log[level]({ alert: rule.name, action: rule.action, why }, `an action of an alert is ${what}`)
          },
        },
      )
      for (const { name } of made.receivers)
        for (const result of ['delivered', 'failed', 'dropped']) notifications.prepare(name, result)
      for (const { name, action } of rules)
        if (action !== undefined)
          for (const result of ['done', 'undone', 'overruled', 'refused']) actions.prepare(name, result)
      service = made
      const from = {
        service,
        notifications,
        actions,
        shed: shedding.counts,
        rateLimited,
        upstreams: Object.keys(upstreams),
        gauge,
      }
      for (const collector of collectorsOf(from)) app.upstreams.measure(collector)
      const admin = decorated<FastifyInstance>(app, 'admin')
      if (admin !== undefined) addEndpoints(admin, service)
    })

    const round = (): void => {
      try {
        service?.round()
      } catch (error) {
        app.log.error({ err: error }, 'alert rules could not be evaluated')
      }
    }
    app.addHook('onListen', async () => {
      // Kept: a server that is closed has no port any more, and there may be something to tell still.
      instance = alerts.instance ?? instanceAt(app.server.address())
      round()
      timer = setInterval(round, alerts.evaluateEvery).unref()
    })
    // The drain takes the traffic away: that is no reason for an alert.
    app.addHook('preClose', async () => clearInterval(timer))
    app.addHook('onClose', async () => {
      clearInterval(timer)
      if (service === undefined) return
      let late: NodeJS.Timeout | undefined
      const deadline = new Promise<void>((resolve) => {
        late = setTimeout(resolve, LAST_TRY_MS)
      })
      await Promise.race([service.finish(), deadline])
      clearTimeout(late)
      service.giveUp()
      stopping.abort()
    })
  },
  { name: 'alerts', dependencies: ['config', 'upstreams', 'routing'] },
)
