import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { after, before, describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { listen, type TestTarget } from '../support/target.ts'
import { ask, type Gateway, gatewayTo } from './support.ts'

interface Echo {
  readonly body: Buffer
  readonly type: string | undefined
  readonly rawHeaders: readonly string[]
}

describe('bodies pass byte for byte', () => {
  const seen: Echo[] = []
  const endings: (() => unknown)[] = []
  let target: Omit<TestTarget, 'seen'>
  let gateway: Gateway
  before(async () => {
    target = await listen((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        const body = Buffer.concat(chunks)
        seen.push({ body, type: request.headers['content-type'], rawHeaders: request.rawHeaders })
        if (request.headers['content-type'] !== undefined)
          response.setHeader('content-type', request.headers['content-type'])
        response.end(body)
      })
    })
    gateway = await gatewayTo({ after: (end?: unknown) => endings.push(end as () => unknown) }, target.origin)
  })
  after(async () => {
    for (const end of endings) await end()
    await target.close()
  })

  const bodies: Record<string, [type: string | undefined, body: string | Buffer]> = {
    'numbers that a double cannot hold': ['application/json', '{ "a": 12345678901234567890, "b": 1.0 }'],
    'JSON that is none': ['application/json', '{"a":'],
    'a multipart boundary': [
      'multipart/form-data; boundary="x y"',
      '--x y\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x y--\r\n',
    ],
    'invalid UTF-8': ['text/plain; charset=utf-8', Buffer.from([0xff, 0xfe, 0x80, 0xc3, 0x28])],
    'UTF-8': ['application/json', '{"name":"Ж€😀"}'],
    'a NUL and control characters': ['text/plain', Buffer.from([0, 1, 2, 127, 10, 13])],
    'binary as JSON': ['application/json', randomBytes(2000)],
    'binary beyond the replay buffer': ['application/octet-stream', randomBytes(300_000)],
    'a form': ['application/x-www-form-urlencoded', 'a=%20+&b'],
    'no content type': [undefined, 'hello'],
    'a content type that is none': ['foo', 'hello'],
    'a content type with odd parameters': ['text/plain;;=;a', 'hello'],
    'gzip, said to be text': ['text/plain', gzipSync('hello')],
  }
  for (const [name, [type, body]] of Object.entries(bodies)) {
    for (const how of ['with a length', 'in chunks']) {
      for (const method of ['POST', 'GET', 'DELETE', 'QUERY']) {
        if (method === 'QUERY' && (type === undefined || !type.includes('/') || type.includes(';;'))) continue
        test(`${name}, ${method} ${how}`, async () => {
          const bytes = Buffer.from(body)
          const { status, body: back } = await ask(gateway.port, {
            method,
            headers: {
              ...(type === undefined ? {} : { 'Content-Type': type }),
              ...(how === 'in chunks'
                ? { 'Transfer-Encoding': 'chunked' }
                : { 'Content-Length': bytes.length }),
            },
            body: how === 'in chunks' ? Readable.from([bytes]) : bytes,
          })
          assert.equal(status, 200)
          assert.equal(seen.at(-1)?.type, type)
          assert.ok(seen.at(-1)?.body.equals(bytes), 'at the target')
          assert.ok(back.equals(bytes), 'at the client')
        })
      }
    }
  }

  test('an empty POST is sent with a length of 0', async () => {
    const { status } = await ask(gateway.port, { method: 'POST', headers: { 'Content-Length': 0 } })
    assert.equal(status, 200)
    assert.equal(seen.at(-1)?.body.length, 0)
    assert.match(seen.at(-1)?.rawHeaders.join('\n') ?? '', /content-length\n0/i)
  })

  test('a POST of no chunks arrives empty', async () => {
    const { status } = await ask(gateway.port, {
      method: 'POST',
      headers: { 'Transfer-Encoding': 'chunked' },
    })
    assert.equal(status, 200)
    assert.equal(seen.at(-1)?.body.length, 0)
  })
})
