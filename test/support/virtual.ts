/**
 * A gateway in virtual time: the real registry, the real policies with the timers that their plugins set, the real
 * exchange; only the network is make-believe. So a transition of seconds runs in milliseconds, the same every time.
 */
import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import type { TestContext } from 'node:test'
import type { FastifyInstance } from 'fastify'
import type { Attempt } from '../../plugins/transport/attempt.ts'
import { Deadlines } from '../../plugins/transport/deadlines.ts'
import { HttpExchange } from '../../plugins/transport/exchange.ts'
import type { Hedge } from '../../plugins/transport/hedge.ts'
import { Memory } from '../../plugins/transport/memory.ts'
import type { Route } from '../../plugins/transport/route.ts'
import type { Target } from '../../plugins/upstreams/contract.ts'
import { TAKEN_OUT } from '../../plugins/upstreams/events.ts'
import { seededDice } from './dice.ts'
import { buildGateway } from './gateway.ts'

type Headers = Record<string, string>
/** What a target does with a request. `after` runs something later, unless the request was aborted by then. */
export type Behaviour = (wire: {
  readonly method: string
  start(): void
  after(ms: number, run: () => void): void
  answer(status: number, headers?: Headers): void
  head(status: number, headers: Headers): void
  fail(code: string): void
}) => void

export const answers =
  (latencyMs = 2, status = 200, headers: Headers = {}): Behaviour =>
  ({ start, after, answer }) => {
    start()
    after(latencyMs, () => answer(status, headers))
  }
export const refuses: Behaviour = ({ after, fail }) => after(1, () => fail('ECONNREFUSED'))
export const silent: Behaviour = ({ start }) => start()
export const resets: Behaviour = ({ start, after, fail }) => {
  start()
  after(1, () => fail('ECONNRESET'))
}

/** What became of a request. */
export interface Result {
  readonly method: string
  /** 0 while it is open. */
  status: number
  /** Milliseconds. */
  took: number
  readonly sentAt: number
  /** The client goes away. */
  leave(): void
  readonly exchange: HttpExchange
}

export interface VirtualGateway {
  readonly app: FastifyInstance
  readonly targets: readonly Target[]
  /** By number of the target; may be changed at any time. */
  readonly behaviours: Behaviour[]
  /** How many requests each target was sent, by number. */
  readonly sent: number[]
  readonly posts: number[]
  readonly events: string[]
  now(): number
  /** Lets time pass. */
  pass(ms: number): Promise<void>
  send(method?: string): Result
  /** Sends requests at this rate for so long, each fifth a POST unless told otherwise. */
  load(options: { ms: number; everyMs: number; postEvery?: number }): Promise<Result[]>
  /** Nothing is under way any more, as the registry has it. */
  assertIdle(): void
}

/** An upstream "main" of `tiers.length` targets, with these options of the config. */
export async function virtualGateway(
  t: TestContext,
  { tiers = [0, 0, 0], upstream = {} }: { tiers?: readonly number[]; upstream?: object } = {},
): Promise<VirtualGateway> {
  let time = 1000
  const random = seededDice(11)
  t.mock.method(performance, 'now', () => time)
  t.mock.method(Math, 'random', random)
  const targets = tiers.map((tier, i) => ({ origin: `http://10.0.0.${i + 1}:8080`, tier }))
  const app = await buildGateway({
    upstreams: { main: { targets, ...upstream } },
    routes: [{ path: '/*', upstream: 'main' }],
  })
  const events: string[] = []
  app.upstreams.onEvent(({ name, target }) =>
    events.push(target === undefined ? name : `${name} ${members.indexOf(target)}`),
  )
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'setImmediate'] })
  let ready = false
  void app.ready().then(() => {
    ready = true
  })
  while (!ready) {
    t.mock.timers.tick(1)
    await new Promise<void>((resolve) => process.nextTick(resolve))
  }
  t.after(async () => {
    t.mock.timers.reset()
    await app.close()
  })

  const state = app.upstreams.upstream('main')
  const members = [...state.targets]
  const behaviours: Behaviour[] = members.map(() => answers())
  const sent = members.map(() => 0)
  const posts = members.map(() => 0)

  const pool = (target: Target) => ({
    host: 'target',
    origin: target.origin,
    servername: undefined,
    crowd: { add() {}, remove() {}, requestWaits() {} },
    pool: {
      dispatch({ method }: { method: string }, handler: Attempt) {
        const i = members.indexOf(target)
        sent[i]!++
        if (method === 'POST') posts[i]!++
        let over = false
        const controller = {
          abort: () => {
            over = true
          },
          pause() {},
          resume() {},
        }
        const ifOpen = (run: () => void): void => {
          if (!over) run()
        }
        handler.onRequestQueued(controller as never)
        behaviours[i]?.({
          method,
          start: () => handler.onRequestStart(controller as never),
          after: (ms, run) => void setTimeout(() => ifOpen(run), ms),
          head: (status, headers) => handler.onResponseStart(controller as never, status, headers),
          answer(status, headers = {}) {
            handler.onResponseStart(controller as never, status, { 'content-length': '2', ...headers })
            ifOpen(() => handler.onResponseData(controller as never, Buffer.from('ok')))
            ifOpen(() => handler.onResponseEnd())
          },
          fail: (code) =>
            handler.onResponseError(controller as never, Object.assign(new Error(code), { code })),
        })
      },
    },
  })
  const hedges = new Deadlines<Hedge>(4)
  app.upstreams.onEvent(({ name, target }) => {
    if (target !== undefined && TAKEN_OUT.has(name)) hedges.each((hedge) => hedge.rescue(target))
  })
  const route = {
    upstream: state,
    config: app.gateway.upstreams['main'],
    bodyLimit: 1_000_000,
    bodyMemory: new Memory(1_000_000),
    deadlines: new Deadlines(20),
    hedges,
    log: app.log,
    failed() {},
    failover: () => app.upstreams.failover,
    onAttempt: () => undefined,
    pool,
    mirror() {},
  } as unknown as Route

  const client = {
    peer: '192.0.2.1',
    address: '192.0.2.1',
    protocol: 'http',
    host: 'a',
    httpVersion: '1.1',
    requestId: 'r',
  }
  const plan = {
    route: 'all',
    upstream: 'main',
    path: '/',
    prefix: undefined,
    key: '',
    repeatable: undefined,
    timeoutMs: undefined,
    editRequest: undefined,
    mirror: undefined,
    binding: undefined,
  }

  const send = (method = 'GET'): Result => {
    const raw = new EventEmitter()
    const done = (status: number): void => {
      if (result.status !== 0) return
      result.status = status
      result.took = time - result.sentAt
      raw.emit('close')
    }
    const reply = {
      raw,
      sent: false,
      header() {},
      send: (error: { statusCode?: number }) => done(error.statusCode ?? 500),
    }
    const request = { method, raw: { complete: true } }
    const exchange = new HttpExchange(route, plan, request as never, reply as never, client as never, null)
    const result: Result = {
      method,
      status: 0,
      took: 0,
      sentAt: time,
      leave: () => void raw.emit('close'),
      exchange,
    }
    try {
      exchange.begin()
      exchange.outgoing({})
      exchange.run((_error, response) => done((response as { statusCode: number }).statusCode))
    } catch (error) {
      reply.send(error as { statusCode?: number })
    }
    return result
  }

  const pass = async (ms: number): Promise<void> => {
    for (const end = time + ms; time < end; ) {
      time++
      t.mock.timers.tick(1)
      await new Promise<void>((resolve) => process.nextTick(resolve))
    }
  }

  return {
    app,
    targets: members,
    behaviours,
    sent,
    posts,
    events,
    now: () => time,
    pass,
    send,
    async load({ ms, everyMs, postEvery = 5 }) {
      const results: Result[] = []
      for (const end = time + ms; time < end; ) {
        results.push(send(results.length % postEvery === postEvery - 1 ? 'POST' : 'GET'))
        await pass(everyMs)
      }
      return results
    },
    assertIdle() {
      for (const { origin, inflight, waiting } of members) {
        assert.deepEqual({ origin, inflight, waiting }, { origin, inflight: 0, waiting: 0 })
      }
    },
  }
}
