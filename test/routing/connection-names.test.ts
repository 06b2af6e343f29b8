/** RFC 9110, 7.6.1: what Connection names is for us only, so nobody judges a request by it that is sent without it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { takeConnectionNames } from '../../plugins/routing/connection-names.ts'
import { startTarget } from '../support/target.ts'
import { ask, gatewayTo } from '../transport/support.ts'

function taken(connection: string, more: Record<string, string> = {}) {
  const headers: Record<string, string | undefined> = { host: 'a', ...more, connection }
  const rawHeaders = ['Host', 'a', 'Connection', connection]
  for (const [name, value] of Object.entries(more)) rawHeaders.push(name.toUpperCase(), value)
  return { wrong: takeConnectionNames({ headers, rawHeaders }), headers, rawHeaders }
}

test('what is named goes, in every list of headers; what is of the protocol stays named', () => {
  const { wrong, headers, rawHeaders } = taken('X-A , keep-alive,x-b', { 'x-a': '1', 'x-b': '2', 'x-c': '3' })
  assert.equal(wrong, undefined)
  assert.deepEqual(headers, { host: 'a', 'x-c': '3', connection: 'keep-alive' })
  assert.deepEqual(rawHeaders, ['Host', 'a', 'Connection', 'X-A , keep-alive,x-b', 'X-C', '3'])
  assert.equal(taken('x-a').headers['connection'], undefined)
  assert.equal(taken('Upgrade, HTTP2-Settings').headers['connection'], 'Upgrade, HTTP2-Settings')
})

test('a name that it must not have takes nothing out', () => {
  const { wrong, headers } = taken('x-a, X-Forwarded-Host', { 'x-a': '1' })
  assert.equal(wrong, 'x-forwarded-host')
  assert.equal(headers['x-a'], '1')
})

test('a guard judges the request that is sent on: a header that is taken out lets nobody in', async (t) => {
  const target = await startTarget(t)
  const dry = "'x-dry-run' in request.headers && request.headers['x-dry-run'] == 'yes'"
  const { port } = await gatewayTo(t, target.origin, {
    route: { authorization: { when: dry } },
  })
  const headers = { 'X-Dry-Run': 'yes' }
  assert.equal((await ask(port, { headers })).status, 200)
  assert.equal(target.seen[0]?.headers['x-dry-run'], 'yes')
  assert.equal((await ask(port, { headers: { ...headers, Connection: 'close, x-dry-run' } })).status, 403)
  assert.equal(target.seen.length, 1)
})
