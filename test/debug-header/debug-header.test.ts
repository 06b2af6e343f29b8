import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { describe, it, test } from 'node:test'
import { attemptsText } from '../../plugins/debug-header/attempts-text.ts'
import { readGateway } from '../support/config.ts'
import { startGateway } from '../support/gateway.ts'
import { deadOrigin, startTarget } from '../support/target.ts'
import { testTarget } from '../support/test-targets.ts'
import { ask } from '../transport/support.ts'

const NAME = 'x-holdfast-attempts'
/** What the target says under the name of our header. */
const OWN = 'own'
const ASKED = { 'x-holdfast-debug': '1' }

type Context = Parameters<typeof startTarget>[0]

async function gateway(t: Context, debugHeader: object | undefined, host = '127.0.0.1', server = {}) {
  const well = await startTarget(t, (_seen, response) => {
    response.setHeader(NAME, OWN)
    response.end('well')
  })
  const sick = await startTarget(t, (_seen, response) => {
    response.statusCode = 503
    response.end('sick')
  })
  const large = await startTarget(t, (_seen, response) => response.end(Buffer.alloc(2_000_000)))
  const dead = await deadOrigin()
  const target = (origin: string, tier = 0) => ({ origin, tier })
  const { app } = await startGateway({
    ...(debugHeader === undefined ? {} : { debugHeader }),
    server,
    upstreams: {
      well: { targets: [target(well.origin)] },
      retried: { targets: [target(sick.origin), target(well.origin, 1)], failBackAfter: 0 },
      large: { targets: [target(large.origin)] },
      dead: { targets: [target(dead)], failover: { retries: 0 } },
    },
    routes: [
      ...['well', 'retried', 'large', 'dead'].map((upstream) => ({ path: `/${upstream}`, upstream })),
      { path: '/own', respond: { status: 200, body: 'own' } },
    ],
  } as object)
  // Not waited for: a closing gateway lingers, and the next test need not.
  t.after(() => {
    app.server.closeAllConnections()
    void app.close()
  })
  const port =
    host === '127.0.0.1'
      ? (app.server.address() as { port: number }).port
      : Number(new URL(await listenToo(t, app.server, host)).port)
  const header = async (url: string, headers: Record<string, string> = ASKED) => {
    const answer = await ask(port, { url, headers })
    return { status: answer.status, header: answer.headers[NAME] as string | undefined }
  }
  return { header, well, sick, large, dead }
}

/** The same handler on another address, so that clients of version 4 arrive as ::ffff:127.0.0.1. */
async function listenToo(t: Context, of: unknown, host: string): Promise<string> {
  const server = createServer((request, response) => {
    ;(of as { emit(name: string, ...rest: unknown[]): void }).emit('request', request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, host, resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`
}

describe('a client that is trusted and asks', () => {
  it('is told of the attempts, in their order, retries included', async (t) => {
    const { header, well, sick } = await gateway(t, { trusted: ['127.0.0.0/8'] })
    assert.match(
      (await header('/well')).header ?? '',
      new RegExp(`^${well.origin}; first; answered 200; commit, total; 1; \\d+ms$`),
    )
    assert.match(
      (await header('/retried')).header ?? '',
      new RegExp(
        `^${sick.origin}; first; answered 503; retry, ${well.origin}; retry; answered 200; commit, total; 2; \\d+ms$`,
      ),
    )
  })

  it('is told with an error and with a stream too', async (t) => {
    const { header, large, dead } = await gateway(t, { trusted: ['127.0.0.1'] })
    const failed = await header('/dead')
    assert.equal(failed.status, 502)
    assert.match(failed.header ?? '', new RegExp(`^${dead}; first; connect; give-up, total; 1; \\d+ms$`))
    assert.match(
      (await header('/large')).header ?? '',
      new RegExp(`^${large.origin}; first; streaming; commit, total; 1;`),
    )
  })

  it('is told nothing of what the gateway answers by itself', async (t) => {
    const { header } = await gateway(t, { trusted: ['127.0.0.1'] })
    assert.deepEqual(await header('/own'), { status: 200, header: undefined })
  })

  it('is known by an address of version 4 that came over version 6', async (t) => {
    for (const trusted of [['127.0.0.1'], ['::1', '127.0.0.0/24'], ['::ffff:127.0.0.1']]) {
      const { header } = await gateway(t, { trusted }, '::')
      assert.ok((await header('/well')).header?.includes('answered 200'), trusted.join())
    }
  })

  it('finds the header under the name of the config', async (t) => {
    const { header } = await gateway(t, { trusted: ['127.0.0.1'], name: 'X-Attempts' })
    assert.deepEqual((await header('/well')).header, OWN, 'another name is the target’s')
  })
})

describe('everyone else', () => {
  it('who does not ask is told nothing, and sees nothing of the target’s own', async (t) => {
    const { header } = await gateway(t, { trusted: ['127.0.0.1'] })
    for (const headers of [{}, { 'x-holdfast-debug': '0' }, { 'x-holdfast-debug': 'yes' }]) {
      assert.deepEqual(await header('/well', headers as Record<string, string>), {
        status: 200,
        header: undefined,
      })
    }
  })

  it('who is not trusted is told nothing, whatever X-Forwarded-For says', async (t) => {
    const { header } = await gateway(t, { trusted: ['10.0.0.0/8', '::1'] })
    for (const headers of [ASKED, { ...ASKED, 'x-forwarded-for': '10.0.0.1', forwarded: 'for=10.0.0.1' }]) {
      assert.deepEqual(await header('/well', headers), { status: 200, header: undefined })
      assert.deepEqual(await header('/dead', headers), { status: 502, header: undefined })
    }
  })

  it('who comes through a trusted proxy is not the peer: the proxy is', async (t) => {
    const server = { trustProxy: ['127.0.0.1'] }
    const { header } = await gateway(t, { trusted: ['10.0.0.1'] }, '127.0.0.1', server)
    const forwarded = { ...ASKED, 'x-forwarded-for': '10.0.0.1' }
    assert.deepEqual(await header('/well', forwarded), { status: 200, header: undefined })
  })

  it('sees what there is where nothing is configured', async (t) => {
    const { header } = await gateway(t, undefined)
    assert.equal((await header('/well')).header, OWN)
  })
})

test('a hedge that lost, an attempt under way and the path of a socket are told as a header can hold them', () => {
  const target = testTarget(1)
  const socket = testTarget(2, { origin: 'unix:/run/ä\r\nset-cookie: a=b.sock' })
  const attempts: Parameters<typeof attemptsText>[0]['attempts'] = [
    { target, kind: 'first', outcome: { kind: 'abandoned', overtakenAfterMs: 5 }, decision: 'abandon' },
    {
      target: socket,
      kind: 'hedge',
      outcome: { kind: 'failed', reason: 'timeout', requestSent: true, latencyMs: 1 },
      decision: 'wait',
    },
    { target, kind: 'retry', outcome: undefined, decision: undefined },
  ]
  assert.equal(
    attemptsText({ attempts, upstreamMs: 12.6 }),
    'http://10.0.0.1:8080; first; abandoned; abandon, ' +
      'unix:/run/???set-cookie: a=b.sock; hedge; timeout; wait, ' +
      'http://10.0.0.1:8080; retry; under way; open, total; 3; 13ms',
  )
})

test('addresses that are none, no address at all and a name that is no header are refused', async () => {
  const problems = async (debugHeader: object) => {
    const { problems } = await readGateway({ debugHeader, upstreams: {}, routes: [] }, 'test.config.ts')
    return problems.map(({ path, message }) => `${path}: ${message}`)
  }
  const remedy = 'is no address or range; write "10.0.0.1", "10.0.0.0/8" or "::1"'
  const wrong = ['localhost', '10.0.0', '10.0.0.0/33', '::/129', '1.2.3.4/8/9', '1.2.3.4/']
  assert.deepEqual(
    await problems({ trusted: ['10.0.0.1', '::1', 'fe80::/10', ...wrong] }),
    wrong.map((address, i) => `debugHeader.trusted[${i + 3}]: "${address}" ${remedy}`),
  )
  assert.deepEqual(await problems({ trusted: [] }), [
    'debugHeader.trusted: needs at least one address or range',
  ])
  assert.equal((await problems({ trusted: ['::1'], name: 'content-length' })).length, 1)
})
