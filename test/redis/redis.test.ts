/** The shared Redis, as it is, gone, frozen and back: real servers and processes. */
import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { refuseUrl } from '../../plugins/redis/url.ts'
import { buildGateway } from '../support/gateway.ts'
import { freePort, portFor } from '../support/ports.ts'
import { startRedis } from '../support/redis.ts'
import { needs } from '../support/tools.ts'
import { eventually } from '../transport/support.ts'

const LIMIT = { timeout: 60_000 }
const SOON = 20_000

async function gatewayWith(t: TestContext, redis: unknown) {
  const lines: string[] = []
  const app = await buildGateway({ upstreams: {}, routes: [], redis }, { log: (line) => lines.push(line) })
  t.after(() => app.close())
  await app.ready()
  const shared = app.redis
  assert.ok(shared !== null)
  const said = (text: string): number => lines.filter((line) => line.includes(text)).length
  const metric = (name: string): number => {
    let value = Number.NaN
    app.upstreams.collectors
      .find((one) => one.name === name)
      ?.collect((sum) => {
        value = sum
      })
    return value
  }
  return { app, shared, lines, said, metric }
}

describe('redis', { ...LIMIT, ...needs('redis-server') }, () => {
  it('is null without config', LIMIT, async (t) => {
    const app = await buildGateway({ upstreams: {}, routes: [] })
    t.after(() => app.close())
    assert.equal(app.redis, null)
  })

  it('answers, under the prefix of the config', LIMIT, async (t) => {
    const server = await startRedis(t)
    const { shared, said, metric } = await gatewayWith(t, { url: server.url, keyPrefix: 'mine:' })
    assert.equal(shared.available, true)
    await shared.connect()
    assert.equal(await shared.ask((client) => client.set('a', '1')), 'OK')
    assert.deepEqual(await shared.ask((client) => client.keys('*')), ['mine:a'])
    // What Redis itself refuses is an answer.
    await assert.rejects(
      shared.ask((client) => client.lpush('a', 'x')),
      /WRONGTYPE/,
    )
    assert.equal(shared.available, true)
    assert.equal(said('redis is there'), 1)
    assert.equal(metric('redis_up'), 1)
  })

  it('starts without it, and finds it once it is there', LIMIT, async (t) => {
    const server = await startRedis(t)
    await server.kill()
    const { shared, said, metric } = await gatewayWith(t, server.url)
    assert.equal(shared.available, false)
    await assert.rejects(
      shared.ask((client) => client.get('a')),
      { name: 'RedisUnavailable' },
    )
    assert.equal(said('redis is gone: ECONNREFUSED'), 1)
    assert.equal(metric('redis_up'), 0)
    await server.start()
    await eventually(() => shared.available, 'redis found', SOON)
    assert.equal(await shared.ask((client) => client.get('a')), null)
    assert.equal(said('redis is there'), 1)
    assert.equal(said('redis is gone'), 1)
  })

  it('killed: commands under way are over at once, later ones are not sent', LIMIT, async (t) => {
    const server = await startRedis(t)
    const { shared, said } = await gatewayWith(t, server.url)
    const changes: boolean[] = []
    shared.onChange((available) => changes.push(available))
    const waiting = shared.ask((client) => client.blpop('nothing', 0))
    const refused = assert.rejects(waiting)
    await server.kill()
    await refused
    await eventually(() => !shared.available, 'redis gone', SOON)
    await assert.rejects(
      shared.ask(() => assert.fail('was asked')),
      { name: 'RedisUnavailable' },
    )
    await server.start()
    await eventually(() => shared.available, 'redis back', SOON)
    assert.deepEqual(changes, [false, true])
    assert.equal(said('redis is gone'), 1)
    assert.equal(said('redis is there'), 2)
  })

  it(
    'frozen: a command is given up in time, the next are not sent, and it is found when it thaws',
    LIMIT,
    async (t) => {
      const server = await startRedis(t)
      const { shared, said, metric } = await gatewayWith(t, server.url)
      server.freeze()
      const answers = Array.from({ length: 10 }, () => shared.ask((client) => client.incr('n')))
      for (const { status, reason } of (await Promise.allSettled(answers)) as PromiseRejectedResult[]) {
        assert.equal(status, 'rejected')
        assert.match(String(reason), /no answer within 50 ms/)
      }
      assert.equal(shared.available, false)
      assert.equal(metric('redis_unanswered_total'), 10)
      await assert.rejects(shared.ask(() => assert.fail('was asked')))
      // The log has one line of it, and a frozen one is not found by connecting to it.
      await new Promise((resolve) => setTimeout(resolve, 600))
      assert.equal(shared.available, false)
      assert.equal(said('redis is gone: no answer within 50 ms'), 1)
      server.thaw()
      await eventually(() => shared.available, 'redis thawed', SOON)
      assert.equal(await shared.ask((client) => client.get('other')), null)
      assert.equal(said('redis is there'), 2)
    },
  )

  it('a start with a frozen one goes on without it', LIMIT, async (t) => {
    const server = await startRedis(t)
    server.freeze()
    const { shared } = await gatewayWith(t, server.url)
    assert.equal(shared.available, false)
    await assert.rejects(shared.ask((client) => client.get('a')))
    server.thaw()
    await eventually(() => shared.available, 'redis thawed', SOON)
  })

  it('a stop does not wait for a frozen one', LIMIT, async (t) => {
    const server = await startRedis(t)
    const { app, shared } = await gatewayWith(t, { url: server.url, timeout: '10s' })
    server.freeze()
    const rejected = assert.rejects(shared.ask((client) => client.get('a')))
    const from = performance.now()
    await app.close()
    await rejected
    assert.ok(performance.now() - from < 8000)
  })

  it('a pause of this process is not taken for silence of Redis', LIMIT, async (t) => {
    const server = await startRedis(t)
    const { shared, metric } = await gatewayWith(t, { url: server.url, timeout: '20ms' })
    const answer = shared.ask((client) => client.set('a', '1'))
    // The command is on its way when the process stands still, and the answer there when it goes on.
    await new Promise<void>((resolve) => setImmediate(resolve))
    const until = performance.now() + 100
    while (performance.now() < until);
    assert.equal(await answer, 'OK')
    assert.equal(metric('redis_unanswered_total'), 0)
  })

  it('fault: a Redis of before 7 that has become a replica is never left', LIMIT, async (t) => {
    // What it says of a script; 7 begins with the word.
    const refusal =
      "-ERR Error running script (call to f_2b): @user_script:1: @user_script: 1: -READONLY You can't write against a read only replica. "
    let connections = 0
    const server = createServer((socket) => {
      connections++
      socket.on('error', () => {})
      socket.on('data', (chunk) => {
        for (const command of String(chunk).split(/(?=\*\d+\r\n\$)/)) {
          if (/\r\ninfo\r\n/i.test(command)) socket.write('$9\r\nloading:0\r\n')
          else socket.write(/\r\neval/i.test(command) ? `${refusal}\r\n` : '+OK\r\n')
        }
      })
    })
    const port = await portFor(server)
    t.after(() => server.close())
    const { shared } = await gatewayWith(t, `redis://127.0.0.1:${port}`)
    assert.deepEqual([shared.available, connections], [true, 1])
    await assert.rejects(
      shared.ask((client) => client.eval('return redis.call("SET", "a", 1)', 0)),
      /READONLY/,
    )
    await eventually(() => connections === 2 && shared.available, 'another connection', SOON)
  })

  it('the password is never told: neither in the log nor in a refusal', LIMIT, async (t) => {
    const server = await startRedis(t, ['--requirepass', 'right'])
    const { shared, lines } = await gatewayWith(t, `redis://:swordfish@127.0.0.1:${server.port}`)
    assert.equal(shared.available, false)
    await eventually(() => lines.some((line) => line.includes('redis is gone')), 'a log line', SOON)
    assert.equal(
      lines.some((line) => line.includes('swordfish')),
      false,
    )
    await assert.rejects(
      buildGateway({ upstreams: {}, routes: [], redis: 'http://:swordfish@127.0.0.1' }),
      (error: Error) =>
        /redis\.url: is no address of a Redis; write/.test(error.message) &&
        !error.message.includes('swordfish'),
    )
  })

  it('with the password it is right', LIMIT, async (t) => {
    const server = await startRedis(t, ['--requirepass', 'p%40ss'])
    const { shared } = await gatewayWith(t, `redis://default:p%2540ss@127.0.0.1:${server.port}/2`)
    assert.equal(await shared.ask((client) => client.ping()), 'PONG')
  })

  it('an address that nobody set is refused, TLS options without TLS too', async () => {
    assert.match(String(refuseUrl('')), /environment/)
    for (const good of ['redis://h', 'rediss://u:p@h.example:1/3', 'redis://[::1]:6379']) {
      assert.equal(refuseUrl(good), undefined, good)
    }
    for (const bad of ['h:6379', 'redis://', 'redis://h/x', 'http://h', 7])
      assert.ok(refuseUrl(bad), `${bad}`)
    await assert.rejects(
      buildGateway({
        upstreams: {},
        routes: [],
        redis: { url: `redis://127.0.0.1:${await freePort()}`, tls: { cert: 'MIIEvgIBADANBgkq' } },
      }),
      (error: Error) =>
        !error.message.includes('MIIE') &&
        /redis\.tls: does nothing without TLS/.test(error.message) &&
        /redis\.tls: `cert` and `key` go together/.test(error.message) &&
        /redis\.tls\.cert: is neither PEM text nor a file/.test(error.message),
    )
  })
})
