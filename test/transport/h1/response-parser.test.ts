import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { FieldNames } from '../../../plugins/transport/h1/fields.ts'
import { ResponseParser } from '../../../plugins/transport/h1/response-parser.ts'
import { CASES, LIMIT, REFUSED } from './responses.ts'

/** All that a parser tells of a text, cut at `cuts`; `pausing` pauses it at each call. */
function read(text: string, cuts: readonly number[], bodyless = false, pausing = false) {
  const told = {
    heads: [] as unknown[],
    body: '',
    trailers: undefined as unknown,
    more: false,
    ends: 0,
    error: '',
  }
  const parser = new ResponseParser(
    {
      onHead({ left: _left, ...head }) {
        told.heads.push(head)
        parser.paused = pausing
      },
      onBody(bytes, start, end) {
        assert.ok(end > start && told.ends === 0)
        told.body += bytes.toString('latin1', start, end)
        parser.paused = pausing
      },
      onEnd(trailers, more) {
        told.ends++
        told.trailers = trailers
        told.more = more
      },
    },
    new FieldNames(),
    LIMIT,
  )
  parser.begin(bodyless)
  const bytes = Buffer.from(text, 'latin1')
  const edges = [0, ...[...cuts].sort((a, b) => a - b), bytes.length]
  try {
    for (let i = 1; i < edges.length; i++) {
      // A piece of its own, as from a socket: nothing behind it may be looked at.
      const piece = Buffer.from(bytes.subarray(edges[i - 1], edges[i]))
      let at = parser.read(piece, 0, piece.length)
      while (parser.paused) {
        parser.paused = false
        at = parser.read(piece, at, piece.length)
      }
      if (told.ends > 0) {
        told.more = (edges[i - 1] as number) + at < bytes.length
        break
      }
    }
    parser.finish()
  } catch (error) {
    told.error = (error as { code: string }).code.replace(/^(HPE_INVALID)_.*/, '$1')
  }
  return told
}

const bytewise = (text: string): number[] => Array.from({ length: text.length }, (_, i) => i)

function sameHoweverCut(text: string, bodyless: boolean): void {
  const whole = read(text, [], bodyless)
  assert.deepEqual(read(text, bytewise(text), bodyless), whole, 'byte by byte')
  assert.deepEqual(read(text, [], bodyless, true), whole, 'with pauses')
  assert.deepEqual(read(text, bytewise(text), bodyless, true), whole, 'byte by byte with pauses')
  const cuts = fc.array(fc.nat(text.length), { maxLength: 8 })
  fc.assert(
    fc.property(cuts, fc.boolean(), (at, pausing) => {
      assert.deepEqual(read(text, at, bodyless, pausing), whole)
    }),
    { numRuns: 60 },
  )
}

describe('a valid response is read alike however it is cut', () => {
  for (const [name, text] of CASES) {
    test(name, () => {
      const told = read(text, [])
      assert.equal(told.error, '')
      assert.equal(told.ends, 1)
      sameHoweverCut(text, false)
      sameHoweverCut(text, true)
    })
  }
})

describe('an invalid response is refused however it is cut', () => {
  for (const [name, text, code = 'HPE_INVALID'] of REFUSED) {
    test(name, () => {
      const told = read(text, [])
      assert.equal(told.error, code)
      assert.equal(told.ends, 0)
      sameHoweverCut(text, false)
    })
  }
})

test('what is read', () => {
  const of = (name: string) => read(CASES.find(([other]) => other === name)?.[1] ?? '', [])
  const head = (name: string) => of(name).heads.at(-1) as { headers: object; keepAlive: boolean }
  assert.deepEqual(head('repeated names').headers, { 'set-cookie': ['a', 'b', 'c'], 'content-length': '0' })
  assert.deepEqual(head('latin1 and empty values').headers, { x: '\xe9', y: '', 'content-length': '0' })
  assert.deepEqual(head('names of the prototype').headers, {
    constructor: 'a',
    tostring: 'b',
    'content-length': '0',
  })
  assert.equal(of('chunks').body, 'hello0123456789')
  assert.deepEqual(of('trailers').trailers, { 'x-sum': ['1', '2'] })
  assert.equal(of('until close').body, 'anything\r\n\r\n')
  assert.equal(of('informational').heads.length, 3)
  assert.deepEqual(head('equal lengths are one').headers, { 'content-length': '2' })
  assert.equal(of('more behind the end').more, true)
  assert.equal(of('more behind chunks').more, true)
  const kept = ['a length', '1.0 kept', 'chunks', '204']
  for (const name of kept) assert.equal(head(name).keepAlive, true, name)
  const closed = ['1.0', 'close', 'until close', '204 with a length is not kept', '304 with a length']
  for (const name of closed) assert.equal(head(name).keepAlive, false, name)
})
