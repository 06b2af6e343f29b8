/** Clients that are slow while others wait for a connection to the same target. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Crowd, type Laggard } from '../../plugins/transport/crowd.ts'
import { startTarget } from '../support/target.ts'
import { ask, eventually, gatewayTo, idle, rawClient } from './support.ts'

const LARGE = Buffer.alloc(2 ** 24, 'x')

/** One connection to one target; `/large` is more than any buffer on the way takes. */
async function narrow(t: Parameters<typeof startTarget>[0], limits: object = {}) {
  const target = await startTarget(t, ({ url }, response) => {
    response.end(url === '/large' ? LARGE : 'ok')
  })
  const logged: string[] = []
  const gateway = await gatewayTo(t, target.origin, {
    upstream: { limits: { connections: 1, queue: 10, queueTimeout: '10s', ...limits } },
    use: async (app) =>
      app.onRequestEnd((request) => logged.push((request.failure as { code?: string } | null)?.code ?? '')),
  })
  const cut = (): number => {
    let sum = 0
    const collector = gateway.app.upstreams.collectors.find(({ name }) => name === 'slow_clients_cut_total')
    collector?.collect((value) => {
      sum += value
    })
    return sum
  }
  return { gateway, target, cut, logged }
}

describe('a client that is slow while others wait', () => {
  it('with its answer: gives its connection up, and the others are served', async (t) => {
    const { gateway, cut, logged } = await narrow(t)
    const slow = rawClient(t, gateway.port)
    slow.socket.write('GET /large HTTP/1.1\r\nHost: a\r\n\r\n')
    await slow.until('HTTP/1.1 200')
    slow.socket.pause()
    const { status, body } = await ask(gateway.port, { url: '/small' })
    assert.deepEqual([status, body.toString()], [200, 'ok'])
    assert.equal(cut(), 1)
    slow.socket.resume()
    await slow.closed
    assert.ok(slow.received.length < LARGE.length, 'its answer does not look whole')
    await idle(gateway)
    assert.ok(logged.includes('GTW_CLIENT_TOO_SLOW'))
  })

  it('with its body: is told so, and the others are served', async (t) => {
    const { gateway, target, cut } = await narrow(t)
    const slow = rawClient(t, gateway.port)
    slow.socket.write('POST /up HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n')
    await eventually(() => gateway.app.upstreams.upstream('main').targets[0]?.inflight === 1, 'it is sent')
    assert.equal((await ask(gateway.port, { url: '/small' })).status, 200)
    await slow.until('GTW_CLIENT_TOO_SLOW')
    assert.match(slow.received, /^HTTP\/1\.1 408 /)
    assert.equal(cut(), 1)
    assert.deepEqual(
      target.seen.map(({ url }) => url),
      ['/small'],
    )
    await idle(gateway)
  })

  it('is left alone where `limits.minRate` is 0', async (t) => {
    const { gateway, cut } = await narrow(t, { minRate: 0, queueTimeout: '900ms' })
    const slow = rawClient(t, gateway.port)
    slow.socket.write('GET /large HTTP/1.1\r\nHost: a\r\n\r\n')
    await slow.until('HTTP/1.1 200')
    slow.socket.pause()
    assert.equal((await ask(gateway.port, { url: '/small' })).status, 503)
    assert.equal(cut(), 0)
    slow.socket.destroy()
    await idle(gateway)
  })
})

describe('a crowd', () => {
  const laggard = (pace: number, gone: number[]): Laggard => ({
    place: -1,
    pace: () => pace,
    giveWay: () => gone.push(pace),
  })

  it('has as many give way as wait, the slowest first, and nobody who is fast enough', (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] })
    let waiting = 0
    let told = 0
    const gone: number[] = []
    const crowd = new Crowd(
      100,
      () => waiting,
      () => void told++,
    )
    const all = [50, 500, 3, 99, Number.POSITIVE_INFINITY].map((pace) => laggard(pace, gone))
    for (const one of all) crowd.add(one)
    crowd.add(all[0] as Laggard)
    t.mock.timers.tick(1000)
    assert.deepEqual(gone, [], 'nobody waits')
    waiting = 2
    crowd.requestWaits()
    t.mock.timers.tick(100)
    assert.deepEqual(gone, [3, 50])
    crowd.remove(all[2] as Laggard)
    crowd.remove(all[0] as Laggard)
    crowd.remove(all[0] as Laggard)
    waiting = 5
    t.mock.timers.tick(100)
    assert.deepEqual(gone, [3, 50, 99])
    assert.equal(told, 3)
    waiting = 0
    t.mock.timers.tick(10_000)
    assert.deepEqual(gone, [3, 50, 99])
  })

  it('is looked at too when somebody becomes slow while others wait already', (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] })
    const gone: number[] = []
    const crowd = new Crowd(
      100,
      () => 1,
      () => {},
    )
    crowd.requestWaits()
    crowd.add(laggard(1, gone))
    t.mock.timers.tick(100)
    assert.deepEqual(gone, [1])
  })
})
