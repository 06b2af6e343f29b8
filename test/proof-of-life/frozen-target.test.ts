/** A target that goes silent: no GET notices, and POSTs leave it alone within some tens of milliseconds. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { startFaulty, wire } from '../support/faulty.ts'
import { ask, gatewayTo, idle } from '../transport/support.ts'

const OK = wire('HTTP/1.1 200 OK\nContent-Type: text/plain\nContent-Length: 2', 'ok')
const EVERY_MS = 5

it('a frozen target costs no GET, and at most the POSTs that were on their way', {
  timeout: 30_000,
}, async (t) => {
  let frozen = false
  let sentToFrozen = 0
  const targets = await Promise.all(
    [0, 1, 2].map((i) =>
      startFaulty(t, ({ socket, head }) => {
        if (!frozen || i !== 1) socket.write(OK)
        else if (head.startsWith('POST')) sentToFrozen++
      }),
    ),
  )
  const gateway = await gatewayTo(
    t,
    targets.map(({ origin }) => origin),
    { upstream: { timeouts: { response: '1s' }, failover: {} } },
  )
  const failed: string[] = []
  const run = async (count: number): Promise<void> => {
    const open: Promise<unknown>[] = []
    for (let i = 0; i < count; i++) {
      const method = i % 3 === 0 ? 'POST' : 'GET'
      const body = method === 'POST' ? { body: 'x' } : {}
      open.push(
        ask(gateway.port, { method, ...body }).then(({ status }) => {
          if (status !== 200) failed.push(`${method} ${status}`)
        }),
      )
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS))
    }
    await Promise.all(open)
  }
  await run(150)
  assert.deepEqual(failed, [])
  frozen = true
  await run(200)
  assert.deepEqual(new Set(failed), new Set(failed.length > 0 ? ['POST 504'] : []))
  // At this rate a POST leaves every 15 ms, for one target in three: some may go before silence is unusual.
  assert.ok(failed.length <= 3, `${failed.length} POSTs failed`)
  assert.equal(failed.length, sentToFrozen, 'each was really sent, none was sent twice')
  await idle(gateway)
})
