import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeResponse, encodeRequest } from '../../plugins/health-check/grpc-message.ts'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const frame = (message: string, { flag = '00', length = message.length / 2 } = {}): Buffer =>
  Buffer.from(`${flag}${length.toString(16).padStart(8, '0')}${message}`, 'hex')

test('a request names its service, and the empty name is left out', () => {
  assert.equal(hex(encodeRequest('')), '0000000000')
  assert.equal(hex(encodeRequest('abc')), '00000000050a03616263')
  assert.equal(hex(encodeRequest('ü')), '00000000040a02c3bc', 'length in bytes, not characters')
  assert.equal(hex(encodeRequest('x'.repeat(300))).slice(0, 16), '000000012f0aac02', 'length as a varint')
})

const answers: [message: string, status: string | undefined, what: string][] = [
  ['0801', 'SERVING', 'SERVING'],
  ['0802', 'NOT_SERVING', 'NOT_SERVING'],
  ['0803', 'SERVICE_UNKNOWN', 'SERVICE_UNKNOWN'],
  ['', 'UNKNOWN', 'the default value, which is left out'],
  ['0809', 'status 9', 'a status of the future'],
  ['08020801', 'SERVING', 'of a field that comes twice the last counts'],
  ['12036162630801', 'SERVING', 'unknown text'],
  ['1096010801', 'SERVING', 'an unknown number'],
  ['1101020304050607080801', 'SERVING', 'unknown 64 bits'],
  ['15010203040801', 'SERVING', 'unknown 32 bits'],
  ['08', undefined, 'a number that is missing'],
  ['0880', undefined, 'a number that is cut off'],
  ['120a61', undefined, 'text that is cut off'],
  ['0b', undefined, 'a group, which proto3 does not have'],
  ['0001', undefined, 'field 0, which there is not'],
  ['08ffffffffffffffffffffff01', undefined, 'a number without end'],
]
for (const [message, status, what] of answers) {
  test(`an answer with ${what}: ${status}`, () => assert.equal(decodeResponse(frame(message)), status))
}

test('what is not one whole uncompressed message is none', () => {
  assert.equal(decodeResponse(Buffer.alloc(0)), undefined)
  assert.equal(decodeResponse(Buffer.from('00000000', 'hex')), undefined)
  assert.equal(decodeResponse(frame('0801', { flag: '01' })), undefined)
  assert.equal(decodeResponse(frame('0801', { length: 3 })), undefined)
  assert.equal(decodeResponse(Buffer.concat([frame('0801'), frame('0801')])), undefined)
})

test('a message within a larger buffer is read where it is', () => {
  const buffer = Buffer.concat([Buffer.from('ffffff', 'hex'), frame('0801')])
  assert.equal(decodeResponse(buffer.subarray(3)), 'SERVING')
})
