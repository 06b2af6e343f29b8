/** Never waiting for Redis, in virtual time: what a real server cannot be made to do on demand. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { GuardedRedis } from '../../plugins/redis/guarded.ts'
import { type After, Patience } from '../../plugins/redis/patience.ts'

function virtualTime() {
  let time = 0
  let timers: { at: number; run: () => void }[] = []
  const after: After = (ms, run) => {
    const timer = { at: time + ms, run }
    timers.push(timer)
    return () => {
      timers = timers.filter((one) => one !== timer)
    }
  }
  return {
    now: () => time,
    after,
    pending: () => timers.length,
    async pass(ms: number): Promise<void> {
      const end = time + ms
      for (;;) {
        const next = timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0]
        if (next === undefined) break
        timers = timers.filter((one) => one !== next)
        time = next.at
        next.run()
        await turn()
      }
      time = end
    },
  }
}

function guarded() {
  const clock = virtualTime()
  const told: string[] = []
  const client = {
    answers: true,
    pings: 0,
    reconnects: 0,
    ping(): Promise<unknown> {
      client.pings++
      return client.answers ? Promise.resolve('PONG') : new Promise(() => {})
    },
    reconnect(): void {
      client.reconnects++
      redis.disconnected('broken by us')
    },
  }
  const redis = new GuardedRedis(client, 50, clock.now, clock.after, (up, why) =>
    told.push(up ? 'there' : `gone: ${why}`),
  )
  const ask = (): Promise<unknown> => redis.ask((one) => one.ping())
  return { clock, client, redis, ask, told }
}

describe('patience', () => {
  it('gives up each when its time is over, with one timer for all, and none of those that ended', async () => {
    const clock = virtualTime()
    const patience = new Patience(50, clock.now, clock.after)
    const over: string[] = []
    const waits = []
    for (const name of ['a', 'b', 'c', 'd']) {
      waits.push(patience.begin(() => over.push(`${name} at ${clock.now()}`)))
      await clock.pass(10)
    }
    assert.equal(clock.pending(), 1)
    assert.equal(patience.end(waits[1] as never), true)
    await clock.pass(200)
    assert.deepEqual(over, ['a at 50', 'c at 70', 'd at 80'])
    assert.equal(patience.end(waits[0] as never), false)
    assert.equal(clock.pending(), 0)
  })

  it('keeps nothing of what is over', async () => {
    const clock = virtualTime()
    const patience = new Patience(50, clock.now, clock.after)
    let late = 0
    for (let i = 0; i < 5000; i++) {
      patience.end(patience.begin(() => late++))
      if (i % 10 === 0) await clock.pass(1)
    }
    const last = patience.begin(() => late++)
    await clock.pass(49)
    assert.equal(late, 0)
    assert.notEqual(last.giveUp, undefined)
    await clock.pass(1)
    assert.equal(late, 1)
  })
})

describe('a guarded Redis', () => {
  it('that falls silent is told of once, probed, and asked again when it answers', async () => {
    const { clock, client, redis, ask, told } = guarded()
    redis.connected()
    assert.equal(await ask(), 'PONG')
    client.answers = false
    const first = assert.rejects(ask(), /no answer within 50 ms/)
    const second = assert.rejects(ask(), /no answer within 50 ms/)
    await clock.pass(50)
    await Promise.all([first, second])
    assert.equal(redis.available, false)
    const { pings } = client
    await assert.rejects(ask(), /does not answer/)
    assert.equal(client.pings, pings, 'was not asked')
    await clock.pass(700)
    assert.ok(client.pings > pings && client.pings <= pings + 3, 'is probed now and then')
    client.answers = true
    await clock.pass(300)
    assert.equal(redis.available, true)
    assert.deepEqual(told, ['there', 'gone: no answer within 50 ms', 'there'])
  })

  it('a connection that stays dumb is broken: behind a dead network it would never tell', async () => {
    const { clock, client, redis, ask } = guarded()
    redis.connected()
    client.answers = false
    const lost = assert.rejects(ask())
    await clock.pass(10_000)
    await lost
    assert.equal(client.reconnects, 1)
    assert.equal(clock.pending(), 0, 'the rest is the client’s own reconnecting')
    client.answers = true
    redis.connecting()
    redis.connected()
    assert.equal(redis.available, true)
  })

  it('a connection that is taken and never usable is broken too', async () => {
    const { clock, client, redis, told } = guarded()
    redis.connecting()
    await clock.pass(1999)
    assert.equal(client.reconnects, 0)
    await clock.pass(1)
    assert.equal(client.reconnects, 1)
    assert.equal(told.length, 1)
    assert.match(told[0] as string, /takes connections and does not answer/)
  })

  it('an answer that comes late belongs to nobody', async () => {
    const { clock, redis, client } = guarded()
    redis.connected()
    let answer = (_: string): void => {}
    const late = redis.ask(
      () =>
        new Promise<string>((resolve) => {
          answer = resolve
        }),
    )
    client.answers = false
    const rejected = assert.rejects(late)
    await clock.pass(50)
    await rejected
    answer('late')
    await turn()
    assert.equal(redis.available, false, 'a probe decides')
  })

  it('closed: what is under way is over, and nothing is begun any more', async () => {
    const { clock, client, redis, ask, told } = guarded()
    redis.connected()
    client.answers = false
    const rejected = assert.rejects(ask())
    redis.close()
    await rejected
    redis.disconnected('closed')
    assert.equal(clock.pending(), 0)
    await assert.rejects(ask())
    assert.deepEqual(told, ['there'])
  })
})
