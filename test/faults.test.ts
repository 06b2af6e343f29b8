import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { startFaulty, type WireRequest, wire } from './support/faulty.ts'
import { eventually, type Gateway, gatewayTo, inflight, rawClient } from './transport/support.ts'

/** A target's misbehaviour, crossed below with what the client does. */
interface Fault {
  readonly name: string
  readonly script: (request: WireRequest) => void
  /** Nobody listens at all. */
  readonly refuses?: boolean
  /** What a client that stays must see. */
  readonly outcome: 'error' | 'truncated' | 'whole'
}

const CHUNKED = wire(
  'HTTP/1.1 200 OK\nContent-Type: text/plain\nTransfer-Encoding: chunked',
  '5\r\nhello\r\n',
)
const SHORT = wire('HTTP/1.1 200 OK\nContent-Type: text/plain\nContent-Length: 100', 'short')
const LONG = wire('HTTP/1.1 200 OK\nContent-Type: text/plain\nContent-Length: 200000', 'x'.repeat(100_000))
const WHOLE = wire('HTTP/1.1 200 OK\nContent-Type: text/plain\nContent-Length: 5', 'whole')
const BUSY = wire('HTTP/1.1 503 Busy\nContent-Type: text/plain\nContent-Length: 4', 'busy')

const later = (run: () => void): void => void setTimeout(run, 15)

const FAULTS: readonly Fault[] = [
  { name: 'refuse', script: () => {}, refuses: true, outcome: 'error' },
  { name: 'reset before the head', script: ({ socket }) => socket.resetAndDestroy(), outcome: 'error' },
  { name: 'close before the head', script: ({ socket }) => socket.end(), outcome: 'error' },
  {
    name: 'reset in the middle of the head',
    script: ({ socket }) =>
      socket.write('HTTP/1.1 200 OK\r\nContent-Le', () => later(() => socket.resetAndDestroy())),
    outcome: 'error',
  },
  { name: 'garbage', script: ({ socket }) => socket.write('\x00\x01garbage\r\n\r\n'), outcome: 'error' },
  {
    name: 'reset in the middle of the body',
    script: ({ socket }) => socket.write(LONG, () => later(() => socket.resetAndDestroy())),
    outcome: 'truncated',
  },
  {
    name: 'reset in the middle of a chunked body',
    script: ({ socket }) => socket.write(CHUNKED, () => later(() => socket.resetAndDestroy())),
    outcome: 'error',
  },
  { name: 'a short body', script: ({ socket }) => socket.end(SHORT), outcome: 'error' },
  { name: 'stall before the head', script: () => {}, outcome: 'error' },
  {
    name: 'stall in the middle of the head',
    script: ({ socket }) => socket.write('HTTP/1.1 200 OK\r\n'),
    outcome: 'error',
  },
  {
    name: 'stall in the middle of a small body',
    script: ({ socket }) => socket.write(SHORT),
    outcome: 'error',
  },
  {
    name: 'stall in the middle of a long body',
    script: ({ socket }) => socket.write(LONG),
    outcome: 'truncated',
  },
  {
    name: 'stall in the middle of a chunked body',
    script: ({ socket }) => socket.write(CHUNKED),
    outcome: 'truncated',
  },
  { name: '503', script: ({ socket }) => socket.write(BUSY), outcome: 'error' },
  { name: 'slow', script: ({ socket }) => later(() => socket.write(WHOLE)), outcome: 'whole' },
  {
    name: 'more than was announced',
    script: ({ socket }) => socket.write(`${WHOLE}and more`),
    outcome: 'whole',
  },
]

const REQUESTS = {
  GET: 'GET /bad HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
  'POST gathered': 'POST /bad HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi',
  'POST streamed':
    'POST /bad HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n',
}

/** What the bytes that a client got come to. */
function verdict(text: string): Fault['outcome'] {
  const heads = text.match(/HTTP\/1\.1 \d{3} /g) ?? []
  assert.equal(heads.length, 1, `exactly one answer, not ${heads.length}`)
  const end = text.indexOf('\r\n\r\n')
  const head = text.slice(0, end)
  const body = text.slice(end + 4)
  const length = /^content-length: (\d+)/im.exec(head)?.[1]
  const whole = length === undefined ? body.endsWith('0\r\n\r\n') : body.length === Number(length)
  if (!whole) return 'truncated'
  return head.startsWith('HTTP/1.1 200 ') ? 'whole' : 'error'
}

describe('faults', () => {
  const uncaught: unknown[] = []
  const note = (error: unknown): void => void uncaught.push(error)
  before(() => {
    process.on('unhandledRejection', note).on('uncaughtException', note)
  })
  after(() => {
    process.off('unhandledRejection', note).off('uncaughtException', note)
  })

  for (const fault of FAULTS) {
    describe(fault.name, { concurrency: false }, () => {
      const endings: (() => unknown)[] = []
      const t = { after: (end?: unknown) => void endings.push(end as () => unknown) }
      let gateway: Gateway
      let target: Awaited<ReturnType<typeof startFaulty>>
      before(async () => {
        target = await startFaulty(t, fault.script)
        if (fault.refuses) await target.close()
        const good = await startFaulty(t, ({ socket }) => socket.write(WHOLE))
        gateway = await gatewayTo(t, target.origin, {
          upstream: {
            failover: { retries: 0 },
            timeouts: { connect: 150, response: 150, idle: 150 },
          },
          others: { good: { targets: [{ origin: good.origin }] } },
          routes: [{ path: '/good', upstream: 'good' }],
        })
      })
      after(async () => {
        for (const end of endings) await end()
      })

      const afterwards = async (): Promise<void> => {
        await eventually(() => inflight(gateway) === 0, 'nothing in flight')
        const client = rawClient(t, gateway.port)
        client.socket.write('GET /good HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
        await client.until('whole')
        await new Promise((resolve) => setImmediate(resolve))
        assert.deepEqual(uncaught, [])
        assert.equal(inflight(gateway), 0)
      }

      for (const [kind, request] of Object.entries(REQUESTS)) {
        test(`${kind}: the client stays`, async () => {
          const client = rawClient(t, gateway.port)
          client.socket.write(request)
          await client.closed
          assert.equal(verdict(client.received), fault.outcome)
          await afterwards()
        })

        test(`${kind}: the client leaves before the answer`, async () => {
          const client = rawClient(t, gateway.port)
          const count = target.requests.length
          client.socket.write(request)
          if (!fault.refuses) await target.arrived(count + 1)
          client.socket.destroy()
          await afterwards()
        })

        test(`${kind}: the client leaves in the middle of the answer`, async () => {
          const client = rawClient(t, gateway.port)
          client.socket.once('data', () => client.socket.resetAndDestroy())
          client.socket.write(request)
          await client.closed
          await afterwards()
        })
      }
    })
  }
})
