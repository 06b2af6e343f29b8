/** Two attempts beside each other: the first whole answer wins, and nothing of the other is seen. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Outcome, Target } from '../../plugins/upstreams/contract.ts'
import { evidenceAgainst, silenceOf } from '../../plugins/upstreams/evidence.ts'
import { startFaulty, wire } from '../support/faulty.ts'
import { deadOrigin } from '../support/target.ts'
import { ask, eventually, gatewayTo, idle, rawClient } from './support.ts'

const answer = (body: string, head = '') =>
  wire(`HTTP/1.1 200 OK\nContent-Type: text/plain\n${head}Content-Length: ${body.length}`, body)
const HEDGE = { failover: { hedge: { after: '30ms', minPerSecond: 1000 } } }

type Request = Parameters<Parameters<typeof startFaulty>[1]>[0]
/** Runs something so many milliseconds after the hedge has come to its target. */
type Beside = (ms: number, run: () => void) => void

/** A gateway over a first target that does as `script` says and a second one that answers at once. */
async function pair(
  t: Parameters<typeof startFaulty>[0],
  script: (request: Request, beside: Beside) => unknown,
  { upstream = HEDGE as object, second = answer('second') } = {},
) {
  const quick = await startFaulty(t, ({ socket }) => void (second === '' ? 0 : socket.write(second)))
  const beside: Beside = (ms, run) => void quick.arrived(1).then(() => setTimeout(run, ms))
  const slow = await startFaulty(t, (request) => void script(request, beside))
  const outcomes: [string, Outcome][] = []
  const gateway = await gatewayTo(t, [slow.origin, quick.origin], {
    upstream,
    use: async (app) => {
      app.upstreams.defineBalancer('first', () => ({ pick: (candidates) => candidates[0] }))
      app.upstreams.balance('main', 'first', {})
      app.upstreams.subscribe(({ origin }: Target, outcome) => outcomes.push([origin, outcome]))
    },
  })
  return { slow, quick, gateway, outcomes }
}

test('a silent target is overtaken: the client has the second answer, the first attempt is cancelled', async (t) => {
  const { slow, quick, gateway, outcomes } = await pair(t, () => {})
  const from = performance.now()
  const { status, body } = await ask(gateway.port)
  const took = performance.now() - from
  assert.equal(`${status} ${body}`, '200 second')
  assert.ok(took >= 29 && took < 2000, `${took} ms`)
  await eventually(() => slow.open.size === 0, 'the connection of the loser is closed')
  assert.equal(quick.requests.length, 1)
  const lost = outcomes.find(([origin]) => origin === slow.origin)?.[1]
  assert.equal(lost?.kind, 'abandoned')
  assert.ok(lost.kind === 'abandoned' && (lost.overtakenAfterMs as number) >= 29, JSON.stringify(lost))
  await idle(gateway)
})

test('a target that stalls in mid-body is overtaken too', async (t) => {
  const { gateway } = await pair(t, ({ socket }) =>
    socket.write(wire('HTTP/1.1 200 OK\nX-First: 1\nContent-Length: 50', 'half')),
  )
  const { status, body, headers } = await ask(gateway.port)
  assert.equal(`${status} ${body}`, '200 second')
  assert.equal(headers['x-first'], undefined)
  await idle(gateway)
})

test('the first attempt may still win; the hedge then says nothing against its target', async (t) => {
  const { quick, gateway, outcomes } = await pair(
    t,
    ({ socket }, beside) => beside(20, () => socket.write(answer('first'))),
    { second: '' },
  )
  const { body } = await ask(gateway.port)
  assert.equal(body.toString(), 'first')
  assert.equal(quick.requests.length, 1)
  await eventually(() => outcomes.length === 2, 'both have ended')
  const lost = outcomes.find(([origin]) => origin === quick.origin)?.[1] as Outcome
  assert.equal(lost.kind, 'abandoned')
  assert.equal(evidenceAgainst(lost), undefined)
  await idle(gateway)
})

test('what may not be repeated is not hedged', async (t) => {
  const { quick, gateway } = await pair(t, ({ socket }) =>
    setTimeout(() => socket.write(answer('first')), 100),
  )
  const { body } = await ask(gateway.port, { method: 'POST', body: 'x' })
  assert.equal(body.toString(), 'first')
  assert.equal(quick.requests.length, 0)
})

test('a request with a body that is held is hedged with all of it', async (t) => {
  const { quick, gateway } = await pair(t, () => {})
  const { body } = await ask(gateway.port, { method: 'PUT', body: 'all of it' })
  assert.equal(body.toString(), 'second')
  assert.match(quick.requests[0]?.head ?? '', /content-length: 9/i)
})

test('an error of the server’s does not win while the other attempt is under way', async (t) => {
  const { gateway } = await pair(t, ({ socket }, beside) => beside(120, () => socket.write(answer('late'))), {
    second: wire('HTTP/1.1 500 Oops\nContent-Length: 0'),
  })
  const { status, body } = await ask(gateway.port)
  assert.equal(`${status} ${body}`, '200 late')
  await idle(gateway)
})

const OOPS = 'HTTP/1.1 500 Oops\nX-Of: first\nContent-Type: text/plain\nContent-Length:'
const BESIDE = { failover: { retries: 1, hedge: { after: '30ms', minPerSecond: 1000 } } }

test('an error that was put aside is the answer, with all that belongs to it, if no other one comes', async (t) => {
  const { quick, gateway, outcomes } = await pair(
    t,
    ({ socket }, beside) => beside(50, () => socket.write(wire(`${OOPS} 4`, 'oops'))),
    { second: '' },
  )
  const { status, body, headers } = await ask(gateway.port)
  assert.equal(`${status} ${body} ${headers['x-of']}`, '500 oops first')
  await eventually(() => quick.open.size === 0, 'the hedge is cancelled')
  await idle(gateway)
  const hedge = outcomes.find(([origin]) => origin === quick.origin)?.[1]
  assert.ok(hedge?.kind === 'abandoned' && (hedge.silentMs as number) > 500, 'its silence is told')
  assert.equal(outcomes.length, 2)
})

test('or if the other one fails: at once if it is whole, and else when it is', async (t) => {
  for (const [when, rest] of [
    ['at once', ''],
    ['later', 's'],
  ] as const) {
    await t.test(when, async (t) => {
      const slow = ({ socket }: Request, beside: Beside) => {
        beside(30, () => socket.write(wire(`${OOPS} ${4 + rest.length}`, 'oops')))
        if (rest !== '') beside(270, () => socket.write(rest))
      }
      const { quick, gateway } = await pair(t, slow, { second: '', upstream: BESIDE })
      const asked = ask(gateway.port)
      await quick.arrived(1)
      setTimeout(() => {
        for (const socket of quick.open) socket.destroy()
      }, 120)
      const from = performance.now()
      const { status, body } = await asked
      assert.equal(`${status} ${body}`, `500 oops${rest}`)
      if (rest === '') assert.ok(performance.now() - from < 900, 'it has not waited for its time')
      await idle(gateway)
    })
  }
})

test('one that is too large to be kept is not the answer, nor one that breaks', async (t) => {
  for (const [what, head, body] of [
    ['too large', `${OOPS} 200000`, 'x'.repeat(200_000)],
    ['broken', `${OOPS} 50`, 'half'],
  ] as const) {
    await t.test(what, async (t) => {
      const slow = ({ socket }: Request, beside: Beside) => beside(30, () => socket.end(wire(head, body)))
      const { quick, gateway } = await pair(t, slow, { second: '', upstream: BESIDE })
      const asked = ask(gateway.port)
      await quick.arrived(1)
      setTimeout(() => {
        for (const socket of quick.open) socket.destroy()
      }, 150)
      assert.equal((await asked).status, 502)
      await idle(gateway)
    })
  }
})

test('an attempt that fails waits for the other one, and no third is made', async (t) => {
  const { slow, quick, gateway } = await pair(
    t,
    ({ socket }, beside) => beside(120, () => socket.write(answer('late'))),
    {
      second: 'garbage\r\n\r\n',
    },
  )
  const { status, body } = await ask(gateway.port)
  assert.equal(`${status} ${body}`, '200 late')
  assert.equal(slow.requests.length + quick.requests.length, 2)
  await idle(gateway)
})

test('with both failed it is a retry or an error, once', async (t) => {
  const { slow, quick, gateway } = await pair(t, ({ socket }, beside) => beside(70, () => socket.destroy()), {
    second: 'garbage\r\n\r\n',
  })
  const { status } = await ask(gateway.port)
  assert.equal(status, 502)
  assert.equal(
    slow.requests.length + quick.requests.length,
    3,
    'two retries are three attempts, the hedge among them',
  )
  await idle(gateway)
})

test('there is no hedge where no other target is left, nor one beyond the budget', async (t) => {
  const one = await startFaulty(t, ({ socket }) => setTimeout(() => socket.write(answer('first')), 100))
  const gateway = await gatewayTo(t, one.origin, { upstream: HEDGE })
  await ask(gateway.port)
  assert.equal(one.requests.length, 1)
  const broke = { failover: { hedge: { after: '30ms', maxExtra: 0, minPerSecond: 0.1 } } }
  const { quick, gateway: poor } = await pair(
    t,
    ({ socket }, beside) => beside(70, () => socket.write(answer('first'))),
    {
      upstream: broke,
    },
  )
  assert.equal((await ask(poor.port)).body.toString(), 'second')
  assert.equal((await ask(poor.port)).body.toString(), 'first')
  assert.equal(quick.requests.length, 1)
})

test('a client that leaves ends both attempts', async (t) => {
  const { slow, quick, gateway, outcomes } = await pair(t, () => {}, { second: '' })
  const client = rawClient(t, gateway.port)
  client.socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await Promise.all([slow.arrived(1), quick.arrived(1)])
  client.socket.destroy()
  await idle(gateway)
  await eventually(() => slow.open.size + quick.open.size === 0, 'both connections are closed')
  assert.deepEqual(
    outcomes.map(([, outcome]) => [outcome.kind, evidenceAgainst(outcome)]),
    [
      ['abandoned', undefined],
      ['abandoned', undefined],
    ],
  )
  const [first = 0, hedge = 0] = outcomes.map(([, outcome]) => silenceOf(outcome))
  assert.ok(first > hedge && hedge >= 0, 'what it had waited for is told')
})

test('the whole of the time being over ends both, and each target is told', async (t) => {
  const { gateway, outcomes } = await pair(t, () => {}, {
    second: '',
    upstream: { ...HEDGE, timeouts: { total: '120ms' } },
  })
  const { status } = await ask(gateway.port)
  assert.equal(status, 504)
  assert.deepEqual(
    outcomes.map(([, outcome]) => (outcome.kind === 'failed' ? outcome.reason : outcome.kind)),
    ['timeout', 'timeout'],
  )
  await idle(gateway)
})

test('a large answer is streamed by the one that began it, and the other is let go', async (t) => {
  const large = 'x'.repeat(200_000)
  const { gateway, quick } = await pair(
    t,
    ({ socket }, beside) => beside(30, () => socket.write(answer(large))),
    { second: '' },
  )
  const { body, complete } = await ask(gateway.port)
  assert.equal(body.length, large.length)
  assert.ok(complete)
  await eventually(() => quick.open.size === 0, 'the hedge is cancelled')
  await idle(gateway)
})

test('a second hedge follows where the first is silent too', async (t) => {
  const silent = await startFaulty(t, () => {})
  const silentToo = await startFaulty(t, () => {})
  const quick = await startFaulty(t, ({ socket }) => socket.write(answer('third')))
  const gateway = await gatewayTo(t, [silent.origin, silentToo.origin, quick.origin], { upstream: HEDGE })
  const from = performance.now()
  for (let i = 0; i < 3; i++) assert.equal((await ask(gateway.port)).body.toString(), 'third')
  assert.ok(performance.now() - from < 5000)
  await idle(gateway)
})

test('a frozen primary is hedged to the standby, which is in a tier in reserve', async (t) => {
  const primary = await startFaulty(t, () => {})
  const standby = await startFaulty(t, ({ socket }) => socket.write(answer('standby')))
  const gateway = await gatewayTo(t, [], {
    upstream: { ...HEDGE, targets: [{ origin: primary.origin }, { origin: standby.origin, tier: 1 }] },
  })
  assert.equal((await ask(gateway.port)).body.toString(), 'standby')
  await idle(gateway)
})

test('a primary that refuses is no retry while there is a standby: the budget is not touched', async (t) => {
  const standby = await startFaulty(t, ({ socket }) => socket.write(answer('standby')))
  const gateway = await gatewayTo(t, [], {
    upstream: {
      targets: [{ origin: await deadOrigin() }, { origin: standby.origin, tier: 1 }],
      failover: { retries: 1, budget: { ratio: 0, minPerSecond: 0 }, hedge: false },
      outlierDetection: false,
    },
  })
  for (let i = 0; i < 20; i++) assert.equal((await ask(gateway.port)).body.toString(), 'standby')
})

test('who waits at a target that is taken out is helped at once, whatever hedges may cost', async (t) => {
  const { slow, gateway } = await pair(t, () => {}, {
    upstream: { failover: { hedge: { after: '1h', maxExtra: 0, minPerSecond: 0 } } },
  })
  const waiting = [ask(gateway.port), ask(gateway.port)]
  await slow.arrived(2)
  const { upstreams } = gateway.app
  const target = upstreams.upstream('main').targets[0] as Target
  upstreams.announce({
    name: 'ejected',
    level: 'warn',
    upstream: 'main',
    target,
    by: 'a test',
    why: 'it says so',
  })
  for (const { body } of await Promise.all(waiting)) assert.equal(body.toString(), 'second')
  await eventually(() => slow.open.size === 0, 'the attempts there are cancelled')
  await idle(gateway)
})

test('a PUT whose body is gone once it is sent goes where life is proven', async (t) => {
  const doubted = await startFaulty(t, ({ socket }) => socket.write(answer('doubted')))
  const proven = await startFaulty(t, ({ socket }) => socket.write(answer('proven')))
  const gateway = await gatewayTo(t, [doubted.origin, proven.origin], {
    server: { replayBody: 10 },
    use: async (app) => {
      const trusts = ({ origin }: Target) => origin !== doubted.origin
      app.upstreams.addHealthSource({ name: 'doubt', allows: () => true, trusts })
    },
  })
  const put = async (body: string): Promise<string> =>
    (await ask(gateway.port, { method: 'PUT', body })).body.toString()
  for (let i = 0; i < 6; i++) assert.equal(await put('x'.repeat(20)), 'proven')
  const small = new Set<string>()
  for (let i = 0; i < 6; i++) small.add(await put('x'))
  assert.equal(small.size, 2, 'what can be sent again is a probe')
})
