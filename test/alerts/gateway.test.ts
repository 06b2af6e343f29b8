/** Alerts in a gateway that runs: what is wrong with their config, who is told, what is done. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { rm } from 'node:fs/promises'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { promisify } from 'node:util'
import type { FastifyInstance } from 'fastify'
import type { Notification } from '../../plugins/alerts/notify/notification.ts'
import { GatewayError } from '../../plugins/upstreams/errors.ts'
import { readGateway } from '../support/config.ts'
import { startGateway } from '../support/gateway.ts'
import { freePort } from '../support/ports.ts'
import { ownHouse, startProcess } from '../support/process.ts'
import { type Answer, startTarget } from '../support/target.ts'
import { ask, eventually } from '../transport/support.ts'
import { configWith, rulesOf } from './support.ts'

const LONG = 20_000

describe('a config that is wrong', () => {
  const problemsOf = async (alerts: object): Promise<string[]> => {
    const { problems } = await readGateway(configWith(alerts), 'test.config.ts')
    return problems.map(({ path, message }) => `${path}: ${message}`).toSorted()
  }
  const LATENCY = { latency: { above: '500ms' } }
  const WINDOWS = { long: '1h', short: '5m', factor: 14.4 }

  it('says all that is wrong with rules at once, each with its remedy', async () => {
    const found = await problemsOf({
      rules: [
        { name: 'a' },
        { name: 'a', ...LATENCY, errorRate: { above: 0.1 } },
        { name: 'c', route: 'aa', ...LATENCY },
        { name: 'd', route: 'a', upstream: 'users', ...LATENCY },
        { name: 'e', ...LATENCY, over: '9s' },
        { name: 'f', throughput: { above: 5, below: 5 } },
        { name: 'g', throughput: {} },
        { name: 'h', errorRate: { above: 0.1, resolveBelow: 0.2 } },
        { name: 'i', route: 'a', panic: true, over: '1m', atLeast: 3 },
        { name: 'j', burnRate: { objective: 0.5, windows: [WINDOWS, { ...WINDOWS, factor: 6 }] } },
        { name: 'k', ...LATENCY, labels: { severity: 'x', team: '{{x}}' }, summary: '{{ printf }}' },
        { name: 'l', upstream: 'next', breakerOpen: true },
        { name: 'm', certificateExpiry: { within: '14d' } },
        { name: 'n', upstream: 'users', rateLimited: { above: 0.5 } },
      ],
      groupBy: ['tem'],
      notify: [{}, { webhook: 'http://a', log: true, where: { tema: 'x' } }],
    })
    assert.deepEqual(found, [
      'alerts.groupBy[0]: no rule has a label "tem"; did you mean "team"?',
      'alerts.notify[0]: has no address; give it one of webhook, slack, alertmanager, log, call (if it is from the environment, set the variable)',
      'alerts.notify[1].where.tema: no rule has a label "tema"; did you mean "team"?',
      'alerts.notify[1]: has 2 addresses (webhook, log); write an entry for each',
      'alerts.rules[0]: says not what it looks for; give it one of latency, throughput, errorRate, rateLimited, burnRate, targets, breakerOpen, saturation, certificateExpiry, panic',
      'alerts.rules[10].labels.severity: is set by the rule itself; take another name',
      'alerts.rules[10].labels.team: is text as it is; take out the double braces',
      'alerts.rules[10].summary: what can stand in double braces is $value, $value | humanizePercentage and $labels.<name>',
      'alerts.rules[11].breakerOpen: there is no circuit breaker; give the upstream a `circuitBreaker`, or take the rule out',
      'alerts.rules[12].certificateExpiry: the gateway has no certificate; give a listener `tls`, or take the rule out',
      'alerts.rules[13].upstream: rateLimited is not known of a single upstream; take it out',
      'alerts.rules[1].name: rules[0] has this name too; give each its own',
      'alerts.rules[1]: has 2 conditions (latency, errorRate); write a rule for each',
      'alerts.rules[2].route: no route is named "aa"; did you mean "a"?',
      'alerts.rules[3].upstream: is about a route and an upstream; take one of them out, or write two rules',
      'alerts.rules[4].over: is shorter than two evaluations (evaluateEvery is 5000 ms); write at least 10000 ms',
      'alerts.rules[5].throughput.below: is not lower than `above` (5): it would always fire; lower it',
      'alerts.rules[6].throughput: needs `above`, `below` or both',
      'alerts.rules[7].errorRate.resolveBelow: is higher than 0.1, where it begins to fire; lower it',
      'alerts.rules[8].atLeast: says nothing to panic; take it out',
      'alerts.rules[8].over: says nothing to panic; take it out',
      'alerts.rules[8].route: panic is not known of a single route; name an upstream instead, or take it out',
      'alerts.rules[9].burnRate.windows[0].factor: can never be reached: with this objective, all requests failing is 2; lower it',
      'alerts.rules[9].burnRate.windows[1].factor: can never be reached: with this objective, all requests failing is 2; lower it',
    ])
  })

  it('values out of range, without telling an address that may be a secret', async () => {
    const found = await problemsOf({
      rules: [
        { name: 'a', latency: { quantile: 1.5, above: '1s' } },
        { name: 'b', upstream: 'user', targets: { eligibleBelow: '150%' } },
        { name: 'c', burnRate: { objective: 1 } },
      ],
      notify: [{ webhook: 'ftp://x/s3cret' }, { slack: 's3cret' }, { call: 's3cret' }],
      silences: [{ where: { severity: 'a' }, until: 'tomorrow' }],
    })
    assert.equal(found.length, 8)
    assert.ok(
      found.includes('alerts.rules[0].latency.quantile: must be at most 0.99999, is 1.5; write p99 as 0.99'),
    )
    assert.ok(found.includes('alerts.rules[1].upstream: no upstream is named "user"; did you mean "users"?'))
    assert.ok(!found.join().includes('s3cret'))
  })

  it('addresses that could never be delivered to', async () => {
    const found = await problemsOf({
      rules: [{ name: 'a', ...LATENCY }],
      notify: [
        { webhook: 'http://user:s3cret@a/hook' },
        { alertmanager: ['http://user:s3cret@a:9093'] },
        { alertmanager: { url: 'http://a:9093/?s3cret=1' } },
        { alertmanager: [] },
        { slack: { url: 'http://a/?token=1', headers: { 'Content-Type': 'text/plain' } } },
        { alertmanager: 'http://a:9093', resolved: false },
      ],
    })
    const password =
      'has a user name or a password in it; send them in a header: { url, headers: { authorization: "Basic ..." } }'
    assert.deepEqual(found, [
      `alerts.notify[0].webhook.url: ${password}; write it like "https://alerts.example.com/hook", or take it from the environment`,
      `alerts.notify[1].alertmanager.url[0]: ${password}; write it like "http://10.0.0.9:9093"`,
      'alerts.notify[2].alertmanager.url[0]: has a query or a fragment, which the path of the API would become a part of; take it out; write it like "http://10.0.0.9:9093"',
      'alerts.notify[3].alertmanager.url: needs at least one address',
      'alerts.notify[4].slack.headers["Content-Type"]: is set by the gateway itself; take it out',
      'alerts.notify[5].resolved: says nothing to an Alertmanager, where an alert that is not told of ends all the same; take it out, and set `send_resolved: false` there',
    ])
  })

  it('labels that Prometheus has itself, and a silence of everything', async () => {
    const found = await problemsOf({
      rules: [{ name: 'a', ...LATENCY, labels: { instance: 'x', job: 'x', __name__: 'x' } }],
      silences: [{ where: {}, until: '2027-01-01' }],
      groupBy: ['instance'],
    })
    assert.deepEqual(found, [
      "alerts.rules[0].labels.__name__: is a label of Prometheus' own; take another name",
      'alerts.rules[0].labels.instance: says which gateway it is; take it out, and set `alerts.instance`',
      "alerts.rules[0].labels.job: is a label of Prometheus' own; take another name",
      'alerts.silences[0].where: needs at least one entry; name a label, such as { alertname: "*" } for all',
    ])
  })

  it('a burn rate was refused for windows that nobody had written', async () => {
    const budget = (objective: number) => ({ name: 'a', burnRate: { objective } })
    assert.deepEqual(await problemsOf({ rules: [budget(0.9)] }), [])
    assert.deepEqual(
      rulesOf(budget(0.9)).map(({ severity, condition }) => [severity, condition.length]),
      [
        ['critical', 1],
        ['warning', 1],
      ],
    )
    assert.equal(rulesOf(budget(0.5)).length, 1)
    assert.deepEqual(await problemsOf({ rules: [budget(0.999)], evaluateEvery: '5m' }), [
      'alerts.rules[0].burnRate: looks at windows of 300000 ms by default, which is shorter than two evaluations (evaluateEvery is 300000 ms); evaluate more often, or write `windows`',
    ])
  })

  it('actions that cannot be done, that fight each other, or that feed their own alert', async () => {
    const act = (name: string, action: object, more: object = { panic: true }) => ({ name, action, ...more })
    const shed = { shed: { route: 'a', share: 0.5 } }
    const drain = { drain: { upstream: 'users', target: 'http://10.0.0.1:80' } }
    const found = await problemsOf({
      rules: [
        act('a', {}),
        act('b', shed),
        act('c', shed),
        act('d', { shed: { route: 'b', share: 0.5 } }, { errorRate: { above: 0.1 } }),
        act('e', { drain: { upstream: 'users', target: 'http://10.0.0.9:80' } }),
        act('f', { drain: { upstream: 'next', target: 'http://10.0.1.1:80' } }),
        act('g', { setSplit: { route: '/robots.txt', shares: { users: 1 } } }),
        act('h', { setSplit: { route: 'b', shares: { users: 0 } } }),
        act('i', drain, { targets: { eligibleBelow: 2 } }),
        act('j', { shed: { share: 0.5 } }),
      ],
    })
    const about = found.map((line) => line.replace('alerts.rules', ''))
    assert.equal(found.length, 9, found.join('\n'))
    for (const [i, text] of [
      'does nothing; give it one of drain, setSplit and shed',
      'rules[1] does the same, and one would undo what the other did',
      'what is shed is answered with 503, which counts as an error',
      'upstream "users" has no target "http://10.0.0.9:80"; did you mean',
      'is the only target of its upstream',
      'no route that forwards is named "/robots.txt"',
      'needs a share above 0',
      'a drained target is one less to be used',
      'needs a route or an upstream',
    ].entries()) {
      const rule = i === 0 ? 0 : i + 1
      assert.ok(
        about.some((line) => line.startsWith(`[${rule}]`) && line.includes(text)),
        `${rule}: ${text}`,
      )
    }
  })

  it('actions that kept their own alert firing were taken', async () => {
    const users = { upstream: 'users' }
    const quiet = { throughput: { below: 1 } }
    const split = (shares: object) => ({ setSplit: { route: 'b', shares } })
    const shed = (of: object) => ({ shed: { ...of, share: 0.5 } })
    const drain = { drain: { upstream: 'users', target: 'http://10.0.0.1:80' } }
    const full = { saturation: { inflightAbove: 0.5 } }
    const problemsWith = (rule: object) => problemsOf({ rules: [{ name: 'a', ...rule }] })
    const feeds: [object, RegExp][] = [
      [{ ...users, ...quiet, action: shed(users) }, /what is shed never comes to "users"/],
      [{ ...users, ...quiet, action: shed({ route: 'a' }) }, /what is shed never comes to "users"/],
      // Of a route that splits, what is shed for one upstream would have gone to the other as well.
      [
        { ...users, throughput: { above: 9, below: 1 }, action: shed({ upstream: 'next' }) },
        /never comes to/,
      ],
      [{ ...users, ...quiet, action: split({ next: 1 }) }, /"users" would get fewer requests/],
      [{ ...users, ...quiet, action: split({ users: 1, next: 1 }) }, /"users" would get fewer requests/],
      [
        { ...users, throughput: { above: 9 }, action: split({ users: 9, next: 1 }) },
        /would get more requests/,
      ],
      [{ ...users, ...full, action: drain }, /takes away from what the targets may have/],
      [{ ...full, action: drain }, /takes away from what the targets may have/],
      [{ targets: { eligibleBelow: 2 }, action: drain }, /a drained target is one less/],
    ]
    for (const [rule, why] of feeds) {
      const found = await problemsWith(rule)
      assert.equal(found.length, 1, JSON.stringify(rule))
      assert.match(found[0] as string, why)
      assert.match(found[0] as string, /the alert would never end; /)
    }
    for (const rule of [
      { upstream: 'next', ...quiet, action: shed({ route: 'a' }) },
      { ...quiet, action: shed(users) },
      { ...users, throughput: { above: 9 }, action: shed(users) },
      { ...users, throughput: { above: 9 }, action: split({ next: 1 }) },
      { ...users, ...quiet, action: split({ users: 1 }) },
      { ...users, ...full, action: split({ next: 1 }) },
      { ...users, errorRate: { above: 0.1 }, action: shed(users) },
      { upstream: 'next', ...full, action: drain },
      { upstream: 'next', targets: { eligibleBelow: 1 }, action: drain },
    ])
      assert.deepEqual(await problemsWith(rule), [], JSON.stringify(rule))
  })

  it('alerts without the metrics that they judge', { timeout: 60_000 }, async (t) => {
    const config = `export default ${JSON.stringify(configWith({ rules: [{ name: 'a', panic: true }] }))}`
    const folder = await ownHouse(t, { 'gateway.config.ts': config })
    await rm(join(folder, 'plugins/metrics'), { recursive: true })
    const checked = promisify(execFile)(process.execPath, ['scripts/check.ts'], { cwd: folder })
    await assert.rejects(
      checked,
      /alerts: needs the numbers that plugins\/metrics counts, and it is not there; put it back/,
    )
  })
})

interface Told extends http.Server {
  readonly url: string
  readonly port: number
  readonly got: {
    readonly url: string
    readonly headers: http.IncomingHttpHeaders
    readonly body: Notification
  }[]
}

/** Somebody who is told of alerts. */
async function startReceiver(
  t: TestContext,
  port = 0,
  answer = (response: http.ServerResponse, _told: Notification) => void response.end(),
): Promise<Told> {
  const got: Told['got'] = []
  const server = http.createServer((request, response) => {
    let text = ''
    request.on('data', (chunk) => {
      text += chunk
    })
    request.on('end', () => {
      const body = JSON.parse(text)
      got.push({ url: request.url as string, headers: request.headers, body })
      answer(response, body)
    })
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port: own } = server.address() as AddressInfo
  return Object.assign(server, { url: `http://127.0.0.1:${own}`, port: own, got })
}

const kill = (server: Told): Promise<void> =>
  new Promise((resolve) => {
    server.closeAllConnections()
    server.close(() => resolve())
  })

const QUICK = { evaluateEvery: '50ms', groupWait: 0, groupInterval: '50ms' }
const ERRORS = { name: 'errors', route: 'all', errorRate: { above: 0.5 }, over: '500ms', atLeast: 3 }

/** A gateway with these alerts before a target that fails if it is asked to. */
async function gatewayWith(t: TestContext, alerts: object, more: object = {}) {
  const answer: Answer = ({ url }, response) => {
    response.statusCode = url === '/bad' ? 500 : 200
    response.end('one')
  }
  const one = await startTarget(t, answer)
  const two = await startTarget(t, (_seen, response) => void response.end('two'))
  const lines: string[] = []
  const { app, port } = await startGateway(
    {
      upstreams: {
        users: {
          targets: [{ origin: one.origin }],
          outlierDetection: false,
          failover: { retries: 0, hedge: false },
          ...more,
        },
        next: { targets: [{ origin: two.origin }] },
      },
      routes: [{ path: '/*', name: 'all', upstream: 'users' }],
      admin: { port: await freePort() },
      alerts: { ...QUICK, ...alerts },
    } as object,
    {
      log: (line) => lines.push(line),
      use: async (app) =>
        app.addGuard({
          name: 'limit',
          stage: 'limit-by-address',
          forRoute: () => (request) => {
            if (request.url === '/limited')
              throw new GatewayError('GTW_RATE_LIMITED', 429, 'client', 'Too many requests')
          },
        }),
    },
  )
  t.after(() => {
    app.server.closeAllConnections()
    void app.close()
  })
  const fail = async (): Promise<void> => {
    // At once: spread over more than a window on a slow machine, the alert would end in between and fire again.
    await Promise.all(Array.from({ length: 10 }, () => ask(port, { url: '/bad' })))
  }
  const state = async (): Promise<string[]> =>
    (await alertsNow(app)).alerts.map((alert) => `${alert.name} ${alert.state}`)
  return { app, port, lines, fail, state, targets: [one, two] as const }
}

interface Shown {
  readonly alerts: { name: string; state: string; silenced: boolean; value?: number }[]
  readonly actions: { rule: string }[]
  readonly silences: { id: string; where: object; until: string }[]
  readonly receivers: { name: string; waiting: number }[]
}
const alertsNow = async (app: FastifyInstance): Promise<Shown> =>
  (await app.admin!.inject({ url: '/alerts', headers: { host: 'localhost' } })).json()

const admin = (app: FastifyInstance, method: 'POST' | 'DELETE', url: string, payload?: object) =>
  app.admin!.inject({
    method,
    url,
    headers: { host: 'localhost' },
    ...(payload === undefined ? {} : { payload }),
  })

function measured(app: FastifyInstance, name: string): Record<string, number> {
  const found: Record<string, number> = {}
  const collector = app.upstreams.collectors.find((one) => one.name === name)
  collector?.collect((value, ...labels) => {
    found[labels.join(' ')] = value
  })
  return found
}

const fired = (lines: readonly string[]) => () => lines.some((line) => line.includes('an alert fires'))

describe('who is told', { timeout: 90_000, concurrency: 6 }, () => {
  it('a receiver that was killed when the alert fired is told once, when it is back', async (t) => {
    const first = await startReceiver(t)
    const { app, port, lines } = await gatewayWith(t, {
      rules: [{ name: 'gone', upstream: 'users', targets: { eligibleBelow: 1 } }],
      notify: [{ webhook: { url: `${first.url}/s3cret`, headers: { authorization: 'Bearer s3cret' } } }],
    })
    await kill(first)
    const users = app.upstreams.upstream('users')
    void users.drain(users.targets[0]!)
    await eventually(fired(lines), 'the alert fires', LONG)
    await eventually(
      () => measured(app, 'alert_notifications_total')['webhook failed']! > 0,
      'a failed try',
      LONG,
    )
    const second = await startReceiver(t, first.port)
    const delivered = () => measured(app, 'alert_notifications_total')['webhook delivered']
    await eventually(() => delivered() === 1, 'told of the alert', LONG)
    users.undrain(users.targets[0]!)
    await eventually(() => delivered() === 2, 'and of its end', LONG)
    assert.equal(second.got.length, 2)
    const [firing, resolved] = second.got
    assert.equal(firing?.url, '/s3cret')
    assert.equal(firing?.headers.authorization, 'Bearer s3cret')
    assert.equal(firing?.headers['content-type'], 'application/json')
    assert.equal(firing?.body.status, 'firing')
    assert.deepEqual(firing?.body.commonLabels, {
      alertname: 'gone',
      severity: 'warning',
      upstream: 'users',
      instance: `${hostname()}:${port}`,
    })
    assert.equal(
      firing?.body.commonAnnotations['summary'],
      'upstream users: fewer than 1 of the targets can be used',
    )
    assert.equal(resolved?.body.status, 'resolved')
    assert.equal(measured(app, 'alert_notifications_total')['webhook dropped'], 0)
    assert.deepEqual(measured(app, 'alerts_firing'), { 'gone warning': 0 })
    assert.ok(!lines.join('').includes('s3cret'), 'the address is logged')
  })

  it('of 150 alerts at once 49 were never told of, though the receiver was well', async (t) => {
    const receiver = await startReceiver(t, 0, (response) => void setTimeout(() => response.end(), 5))
    const rules = Array.from({ length: 150 }, (_, i) => ({
      name: `idle ${i}`,
      throughput: { below: 1000 },
      over: '300ms',
    }))
    const { app } = await gatewayWith(t, { rules, notify: [{ webhook: receiver.url }] })
    const heardOf = () => new Set(receiver.got.map(({ body }) => body.commonLabels['alertname'])).size
    await eventually(() => heardOf() === 150, 'all are told of', LONG)
    assert.equal(measured(app, 'alert_notifications_total')['webhook dropped'], 0)
  })

  it('one answer of 404 silenced an alert for four hours', async (t) => {
    const receiver = await startReceiver(t, 0, (response) => {
      response.statusCode = receiver.got.length === 1 ? 404 : 200
      response.end()
    })
    const { app, fail } = await gatewayWith(t, {
      rules: [{ ...ERRORS, keepFiring: '1h' }],
      notify: [{ webhook: receiver.url }],
    })
    await fail()
    const told = () => measured(app, 'alert_notifications_total')
    await eventually(() => told()['webhook delivered'] === 1, 'told of in the end', LONG)
    assert.equal(told()['webhook failed'], 1)
    assert.deepEqual(
      receiver.got.map(({ body }) => body.status),
      ['firing', 'firing'],
    )
  })

  it('one notification that a receiver could not digest held up all others', async (t) => {
    const receiver = await startReceiver(t, 0, (response, { commonLabels }) => {
      response.statusCode = commonLabels['alertname'] === 'poison' ? 500 : 200
      response.end()
    })
    const rule = { ...ERRORS, keepFiring: '1h' }
    const { app, fail, lines } = await gatewayWith(t, {
      rules: ['poison', 'b', 'c'].map((name) => ({ ...rule, name })),
      notify: [{ webhook: receiver.url }],
    })
    await fail()
    const told = () => measured(app, 'alert_notifications_total')
    await eventually(() => told()['webhook delivered'] === 2, 'the others are told of', LONG)
    await eventually(() => told()['webhook failed']! >= 3, 'it is tried again', LONG)
    assert.deepEqual((await alertsNow(app)).receivers, [{ name: 'webhook', waiting: 1 }])
    // Said once, and not for each try.
    assert.equal(lines.filter((line) => line.includes('an alert was not delivered')).length, 1)
  })

  it('Slack, a function, the log, and only those that it is for', async (t) => {
    const slack = await startReceiver(t)
    const called: Notification[] = []
    const { lines, fail, app } = await gatewayWith(t, {
      rules: [ERRORS, { ...ERRORS, name: 'worse', severity: 'critical' }],
      notify: [
        { slack: slack.url, where: { severity: 'critical' } },
        { call: async (notification: Notification) => void called.push(notification), resolved: false },
        { name: 'angry', call: () => Promise.reject(new Error('not me')) },
        { name: 'mute', call: () => new Promise(() => {}), timeout: '50ms' },
        { log: true },
      ],
    })
    await fail()
    const told = () => measured(app, 'alert_notifications_total')
    await eventually(() => slack.got.length === 2, 'Slack is told twice', LONG)
    await eventually(
      () => told()['angry failed']! > 0 && told()['mute failed']! > 0,
      'two do not take it',
      LONG,
    )
    const [message] = slack.got.map(({ body }) => body as unknown as { text: string; attachments: unknown[] })
    assert.equal(message?.text, '1 firing: worse')
    assert.deepEqual(
      called.map(({ commonLabels, status }) => `${commonLabels['alertname']} ${status}`).toSorted(),
      ['errors firing', 'worse firing'],
    )
    const own = lines.filter((line) => line.includes('more than 50 % of the requests failed'))
    assert.ok(
      own.some((line) => line.includes('"level":50')) && own.some((line) => line.includes('"level":40')),
    )
    assert.ok(lines.some((line) => line.includes('an alert was not delivered') && line.includes('not me')))
  })

  it('an Alertmanager behind a password was never told', async (t) => {
    const receiver = await startReceiver(t)
    const { app, fail } = await gatewayWith(t, {
      rules: [ERRORS],
      instance: 'gateway-1',
      notify: [
        {
          alertmanager: {
            url: [receiver.url, `${receiver.url}/two`],
            headers: { authorization: 'Basic eDp5' },
          },
        },
      ],
    })
    await fail()
    await eventually(() => receiver.got.length >= 2, 'both are told', LONG)
    assert.deepEqual(
      [...new Set(receiver.got.map(({ url, headers }) => `${url} ${headers.authorization}`))].toSorted(),
      ['/api/v2/alerts Basic eDp5', '/two/api/v2/alerts Basic eDp5'],
    )
    const [first] = receiver.got.map(({ body }) => body as unknown as { labels: object }[])
    assert.deepEqual(first?.[0]?.labels, {
      alertname: 'errors',
      severity: 'warning',
      route: 'all',
      instance: 'gateway-1',
    })
    await app.close()
  })

  it('a receiver that hangs holds up neither requests, nor others, nor for long the stop', async (t) => {
    const hanging = await startReceiver(t, 0, () => {})
    const well = await startReceiver(t)
    const { app, fail, port } = await gatewayWith(t, {
      rules: [ERRORS],
      notify: [
        { name: 'hanging', webhook: hanging.url },
        { name: 'well', webhook: well.url },
      ],
    })
    await fail()
    await eventually(() => well.got.length > 0 && hanging.got.length > 0, 'both are told', LONG)
    assert.equal((await ask(port)).status, 200)
    const began = performance.now()
    await app.close()
    assert.ok(performance.now() - began < 15_000)
    assert.equal(measured(app, 'alert_notifications_total')['hanging dropped']! >= 1, true)
  })

  it('on a stop what waits for its group is told at once', async (t) => {
    const receiver = await startReceiver(t)
    const { app, port, lines, fail } = await gatewayWith(t, {
      rules: [{ ...ERRORS, keepFiring: '1h' }],
      notify: [{ webhook: receiver.url }],
      groupWait: '1h',
    })
    await fail()
    await eventually(fired(lines), 'the alert fires', LONG)
    assert.equal(receiver.got.length, 0)
    await app.close()
    assert.equal(receiver.got.length, 1)
    // A server that is closed has no port any more.
    assert.equal(receiver.got[0]?.body.commonLabels['instance'], `${hostname()}:${port}`)
  })

  it('a process that was frozen raises no alert and ends none, and one that is stopped tells what it has to tell', {
    timeout: 90_000,
  }, async (t) => {
    const [target, receiver] = [await startTarget(t), await startReceiver(t)]
    const adminPort = await freePort()
    const gateway = await startProcess(t, {
      config: `export default ${JSON.stringify({
        server: { drain: 0 },
        admin: { port: adminPort },
        upstreams: { users: { targets: [{ origin: target.origin }] } },
        routes: [{ path: '/*', name: 'all', upstream: 'users' }],
        alerts: {
          ...QUICK,
          evaluateEvery: '100ms',
          groupWait: '1h',
          rules: [
            // Long enough for a test process that is busy with others: the traffic comes from it.
            { name: 'idle', throughput: { below: 1 }, over: '2s' },
            { name: 'busy', throughput: { above: 1 }, over: '2s' },
          ],
          notify: [{ webhook: receiver.url }],
        },
      })}`,
    })
    let busy = true
    t.after(() => (busy = false))
    const traffic = (async () => {
      while (busy) {
        await ask(gateway.port).catch(() => {})
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    })()
    const watched = async (): Promise<number> => {
      const page = await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text()
      return Number(/^holdfast_alert_watched_seconds (.*)$/m.exec(page)?.[1])
    }
    const watchedFor = async (seconds: number): Promise<void> => {
      while ((await watched()) < seconds) await new Promise((resolve) => setTimeout(resolve, 50))
    }
    const said = (what: string, name: string) => () =>
      gateway.lines.some(({ msg, alert }) => msg === what && alert === name)
    await eventually(said('an alert fires', 'busy'), 'there is traffic', LONG)
    const before = await watched()
    gateway.child.kill('SIGSTOP')
    // Longer than what passes for a late timer.
    await new Promise((resolve) => setTimeout(resolve, 3500))
    gateway.child.kill('SIGCONT')
    while ((await watched()) >= before) await new Promise((resolve) => setTimeout(resolve, 20))
    assert.equal(said('an alert is resolved', 'busy')(), false, gateway.output())
    await watchedFor(2.5)
    assert.equal(said('an alert fires', 'idle')(), false, gateway.output())
    busy = false
    await traffic
    await eventually(said('an alert fires', 'idle'), 'there is no traffic any more', LONG)
    gateway.child.kill('SIGTERM')
    assert.equal(await gateway.ended, 0, gateway.output())
    assert.deepEqual(
      receiver.got.map(({ body }) => body.commonLabels['alertname']),
      ['idle'],
    )
  })

  it('rules on upstreams, latencies and refusals read the real numbers', { timeout: 60_000 }, async (t) => {
    const rules = [
      {
        name: 'slow',
        upstream: 'users',
        latency: { quantile: 0.5, above: '33ms' },
        over: '500ms',
        atLeast: 1,
      },
      { name: 'gone', upstream: 'users', targets: { eligibleBelow: 1 } },
      { name: 'idle', throughput: { below: 1 }, over: '300ms' },
      { name: 'limited', rateLimited: { above: 0.5 }, over: '500ms', atLeast: 3 },
    ]
    const { app, port, state, targets } = await gatewayWith(t, { rules })
    // A threshold between the buckets that there are by default is exact: it was asked for.
    targets[0].server.removeAllListeners('request')
    targets[0].server.on('request', (_request: http.IncomingMessage, response: http.ServerResponse) => {
      setTimeout(() => response.end('ok'), 40)
    })
    await ask(port)
    let seen: string[] = []
    const until = async (wanted: string): Promise<void> => {
      const end = performance.now() + LONG
      do {
        // Asked without a pause, it would leave no turn to the timers.
        await new Promise((resolve) => setTimeout(resolve, 5))
        seen = await state()
      } while (!seen.includes(wanted) && performance.now() < end)
      assert.ok(seen.includes(wanted), `${wanted}: ${seen}`)
    }
    await until('slow firing')
    await until('idle firing')
    for (let i = 0; i < 5; i++) assert.equal((await ask(port, { url: '/limited' })).status, 429)
    await until('limited firing')
    assert.deepEqual(measured(app, 'alert_rate_limited_total'), { all: 5 })
    const [target] = app.upstreams.upstream('users').targets
    void app.upstreams.upstream('users').drain(target!)
    await until('gone firing')
    app.upstreams.upstream('users').undrain(target!)
    await until('gone inactive')
    await until('slow inactive')
  })
})

describe('the admin listener', { timeout: 60_000 }, () => {
  it('shows alerts, takes silences and ends them', async (t) => {
    const receiver = await startReceiver(t)
    const rule = { ...ERRORS, keepFiring: '1h' }
    const { app, fail, state, lines } = await gatewayWith(t, {
      rules: [rule],
      notify: [{ webhook: receiver.url }],
    })
    assert.deepEqual(await state(), ['errors inactive'])
    for (const body of [
      { where: {}, for: '1h' },
      { where: { route: 'b' } },
      { where: { route: 'b' }, for: 'x' },
      { where: { route: 'b' }, until: '2001-01-01' },
    ])
      assert.equal((await admin(app, 'POST', '/alerts/silences', body)).statusCode, 400, JSON.stringify(body))
    const misspelt = await admin(app, 'POST', '/alerts/silences', { where: { severty: '*' }, for: '1h' })
    assert.equal(misspelt.statusCode, 400)
    assert.match(misspelt.body, /no rule has a label \\"severty\\"; did you mean \\"severity\\"\?/)
    const made = await admin(app, 'POST', '/alerts/silences', {
      where: { alertname: 'err*' },
      for: '2h',
      comment: 'deploy',
    })
    assert.equal(made.statusCode, 201)
    const { id } = made.json()
    await fail()
    await eventually(fired(lines), 'the alert fires', LONG)
    const { alerts, silences, receivers } = await alertsNow(app)
    assert.equal(alerts[0]?.silenced, true)
    assert.equal(alerts[0]?.value, 1)
    assert.deepEqual(
      silences.map(({ where }) => where),
      [{ alertname: 'err*' }],
    )
    assert.deepEqual(receivers, [{ name: 'webhook', waiting: 0 }])
    assert.equal(receiver.got.length, 0)
    assert.equal((await admin(app, 'DELETE', `/alerts/silences/${id}`)).statusCode, 204)
    assert.equal((await admin(app, 'DELETE', `/alerts/silences/${id}`)).statusCode, 404)
    await eventually(() => receiver.got.length === 1, 'told when the silence is over', LONG)
  })
})

describe('actions', { timeout: 60_000, concurrency: 2 }, () => {
  const BUSY = { name: 'busy', route: 'all', throughput: { above: 20 }, over: '500ms' }

  it('a share of the requests is shed while the alert fires', async (t) => {
    const { app, port, lines } = await gatewayWith(t, {
      rules: [{ ...BUSY, action: { shed: { route: 'all', share: 1 } } }],
    })
    let answer = await ask(port)
    const end = performance.now() + LONG
    while (answer.status === 200 && performance.now() < end) answer = await ask(port)
    assert.equal(answer.status, 503)
    assert.equal(answer.headers['retry-after'], '1')
    assert.equal(JSON.parse(answer.body.toString()).code, 'GTW_SHED')
    await eventually(
      () => lines.some((line) => line.includes('an action of an alert is undone')),
      'undone',
      LONG,
    )
    assert.equal((await ask(port)).status, 200)
    assert.equal(measured(app, 'alert_shed_total')['all']! > 0, true)
    assert.deepEqual(measured(app, 'alert_actions_total'), {
      'busy done': 1,
      'busy undone': 1,
      'busy overruled': 0,
      'busy refused': 0,
    })
  })

  it('a start was taken for a want of targets, and shed what came', async (t) => {
    let checked = (): void => {}
    const target = await startTarget(t, ({ url }, response) => {
      if (url === '/health') checked = () => void response.end()
      else response.end()
    })
    const rule = { upstream: 'users', action: { shed: { upstream: 'users', share: 1 } } }
    const lines: string[] = []
    const { app } = await startGateway(
      {
        upstreams: {
          users: {
            targets: [{ origin: target.origin }],
            healthCheck: { path: '/health', interval: '1h', timeout: '30s' },
          },
        },
        routes: [{ path: '/*', name: 'all', upstream: 'users' }],
        alerts: {
          ...QUICK,
          rules: [
            { ...rule, name: 'none', targets: { eligibleBelow: 1 } },
            { name: 'few', targets: { eligibleBelow: '50%' } },
          ],
        },
      } as object,
      { log: (line) => lines.push(line) },
    )
    t.after(() => {
      app.server.closeAllConnections()
      void app.close()
    })
    const watched = () => measured(app, 'alert_watched_seconds')[''] as number
    await eventually(() => watched() > 0.3, 'several rounds', LONG)
    assert.deepEqual(measured(app, 'alert_usable_targets'), { users: Number.NaN })
    await eventually(
      () => {
        checked()
        return measured(app, 'alert_usable_targets')['users'] === 1
      },
      'the first check',
      LONG,
    )
    const before = watched()
    await eventually(() => watched() > before + 0.2, 'more rounds', LONG)
    assert.equal(fired(lines)(), false, lines.join(''))
    void app.upstreams.upstream('users').drain(app.upstreams.upstream('users').targets[0]!)
    await eventually(fired(lines), 'there is none', LONG)
  })

  it('what was shed for an upstream was shed of a route that an action had taken away from it', async (t) => {
    const always = { throughput: { below: 1e6 }, over: '300ms', keepFiring: '1h' }
    const { app, port } = await gatewayWith(t, {
      rules: [
        { ...always, name: 'away', action: { setSplit: { route: 'all', shares: { next: 1 } } } },
        { ...always, name: 'shed', action: { shed: { upstream: 'users', share: 1 } } },
      ],
    })
    const active = async () => (await alertsNow(app)).actions.length
    for (const end = performance.now() + LONG; (await active()) < 2 && performance.now() < end; )
      await new Promise((resolve) => setTimeout(resolve, 10))
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(port)))
    assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200])
    // And back, by hand: now all of them go there.
    app.setSplit('all', { users: 1 })
    assert.equal((await ask(port)).status, 503)
  })

  it('a split is changed, and an operator may change it back while the alert fires', async (t) => {
    const rule = { ...BUSY, keepFiring: '1h', action: { setSplit: { route: 'all', shares: { next: 1 } } } }
    const { app, port } = await gatewayWith(t, { rules: [rule] })
    const text = async (): Promise<string> => (await ask(port)).body.toString()
    const end = performance.now() + LONG
    while ((await text()) === 'one' && performance.now() < end);
    assert.equal(await text(), 'two')
    assert.deepEqual(
      (await alertsNow(app)).actions.map(({ rule }) => rule),
      ['busy'],
    )
    assert.equal((await admin(app, 'DELETE', '/alerts/actions/busy')).statusCode, 204)
    assert.equal(await text(), 'one')
    assert.equal((await admin(app, 'DELETE', '/alerts/actions/busy')).statusCode, 404)
  })
})
