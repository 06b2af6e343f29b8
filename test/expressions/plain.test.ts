import assert from 'node:assert/strict'
import { it } from 'node:test'
import { plainAddress } from '../../plugins/config/addresses.ts'
import { expressionCompiler } from '../../plugins/expressions/compile.ts'
import { EvaluationError } from '../../plugins/expressions/errors.ts'

const compile = expressionCompiler(() => Date.UTC(2026, 10, 25, 12))
const request = {
  method: 'GET',
  url: '/?b=2&a=1',
  headers: {},
  params: {},
  ip: '::1',
  protocol: 'http',
  identity: null,
}
const evaluate = (text: string, more: object = {}) => compile(text)({ ...request, ...more })

it('values are JSON’s: who asks need not know CEL', () => {
  for (const [text, value] of [
    ['[1, 2u, 2.5, "a", true, null]', [1n, 2n, 2.5, 'a', true, null]],
    ['{"b": {"d": [1], "c": 2u}, "a": 3.0}', { b: { c: 2n, d: [1n] }, a: 3 }],
    ['{1: "a", 2u: "b", true: "c"}', { 1: 'a', 2: 'b', true: 'c' }],
    ['{"__proto__": 1}', JSON.parse('{"__proto__":1}', (_, inner) => (inner === 1 ? 1n : inner))],
    ['request.query', { a: '1', b: '2' }],
    ['b"abc"', 'YWJj'],
    ['request.time', '2026-11-25T12:00:00Z'],
    ['duration("1h1.5s")', '3601.500s'],
    ['type(1)', 'int'],
    ['request.headers', {}],
  ] as const)
    assert.deepEqual(evaluate(text), value, text)
  assert.equal(JSON.stringify(evaluate('request.query')), '{"a":"1","b":"2"}', 'in order')
})

it('what is only there to be looked into is no value, nor is what it has not', () => {
  for (const text of ['request', '[request]', '{"a": request}'])
    assert.throws(() => evaluate(text), EvaluationError, text)
  assert.throws(() => evaluate('request.query', { url: '/?a=1&a=2' }), EvaluationError)
  // Of a connection that is not over a network.
  assert.throws(() => evaluate('request.ip != "1.2.3.4"', { ip: undefined }), EvaluationError)
})

it('IPv4 written as IPv6 is IPv4, in every way that it can be written', () => {
  for (const address of ['::ffff:1.2.3.4', '::FFFF:102:304', '0:0:0:0:0:ffff:1.2.3.4', '::ffff:1.2.3.4%eth0'])
    assert.equal(plainAddress(address), '1.2.3.4', address)
  for (const address of [
    '1.2.3.4',
    '::1',
    '::1.2.3.4',
    '::ffff:0:1.2.3.4',
    'fe80::1%eth0',
    'unknown',
    '',
    undefined,
  ])
    assert.equal(plainAddress(address), address, `${address}`)
})
