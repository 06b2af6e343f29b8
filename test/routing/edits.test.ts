import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  compileHeaderEdits,
  compileQueryEdits,
  type HeaderEdits,
  type Headers,
} from '../../plugins/routing/edits.ts'

test('headers: removed, then set, then added, in place and lower-case', () => {
  const kept = ['1']
  const headers: Headers = { a: '1', b: '2', c: kept, d: '4' }
  compileHeaderEdits({
    remove: ['A', 'x'],
    set: { B: 'new', A: 'again' },
    add: { c: '2', D: '5', E: '6' },
  })?.(headers)
  assert.deepEqual(headers, { a: 'again', b: 'new', c: ['1', '2'], d: ['4', '5'], e: '6' })
  assert.deepEqual(kept, ['1'])
})

test('headers: what is removed or set is not said in a spelling that CGI and its like take for it', () => {
  const headers: Headers = {
    x_internal: '1',
    'x.tenant': '2',
    x_tenant: '3',
    x_own: '4',
    'x-own': '5',
    x_other: '6',
  }
  compileHeaderEdits({ remove: ['x-internal', 'x_own'], set: { 'X-Tenant': 'a' } })?.(headers)
  assert.deepEqual(headers, { 'x-own': '5', x_other: '6', 'x-tenant': 'a' })
})

test('headers: nothing to do is no function', () => {
  assert.equal(compileHeaderEdits(undefined), undefined)
  assert.equal(compileHeaderEdits({ set: {}, remove: [] }), undefined)
})

const faulty: HeaderEdits[] = [
  { set: { 'a b': '1' } },
  { set: { '': '1' } },
  { set: { a: '1\r\nx: y' } },
  { add: { a: '1\n' } },
  { set: { a: 'zł' } },
  { set: { a: '\0' } },
  { set: { A: '1', a: '2' } },
  { remove: ['host'] },
  { add: { Host: 'a' } },
  ...[
    'Connection',
    'keep-alive',
    'transfer-encoding',
    'TE',
    'trailer',
    'upgrade',
    'content-length',
    'proxy-connection',
    // Each request would be refused by what sends it.
    'expect',
    'http2-settings',
  ].flatMap((name) => [{ set: { [name]: '1' } }, { add: { [name]: '1' } }, { remove: [name] }]),
]
for (const edits of faulty) {
  test(`headers: ${JSON.stringify(edits)} is refused`, () =>
    assert.throws(() => compileHeaderEdits(edits), /^Error: headers\./))
}

test('headers: host may be set', () => {
  const headers: Headers = { host: 'a' }
  compileHeaderEdits({ set: { Host: 'b.example' } })?.(headers)
  assert.equal(headers.host, 'b.example')
})

test('query: removed, then set, then added', () => {
  const edit = compileQueryEdits({ set: { a: 'x y', n: '&' }, add: { b: '2' }, remove: ['r s'] })
  assert.equal(edit('?b=%7e&a=1&r+s=1&&a=2&%61=3&r%20s'), '?b=%7e&a=x%20y&&n=%26&b=2')
  assert.equal(edit(''), '?a=x%20y&n=%26&b=2')
  assert.equal(compileQueryEdits({ remove: ['a'] })('?a=1'), '')
  assert.equal(compileQueryEdits(undefined)('?'), '?')
})

test('query: what is removed and set is at the end, once', () => {
  const edit = compileQueryEdits({ set: { a: '2' }, remove: ['a'] })
  assert.equal(edit('?a=1&b=1&a=3'), '?b=1&a=2')
  assert.equal(compileQueryEdits({ set: { a: '2' } })('?a=1&b=1&a=3'), '?a=2&b=1')
})

test('query: what no edit names stays byte for byte', () => {
  const pair = fc.stringMatching(/^[a-z%+=/?.]{0,6}$/)
  fc.assert(
    fc.property(fc.array(pair, { minLength: 1 }), (pairs) => {
      const query = `?${pairs.join('&')}`
      if (query === '?') return
      assert.equal(compileQueryEdits({ remove: ['GONE'] })(query), query)
      assert.equal(compileQueryEdits({ set: { NEW: '1' } })(query), `${query}&NEW=1`)
      assert.equal(compileQueryEdits({ set: { NEW: '1' } })(`${query}&NEW=0`), `${query}&NEW=1`)
    }),
    { seed: 12, numRuns: 2000 },
  )
})
