import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Dispatcher, Pool } from 'undici'
import { byteServer, poolTo, Recorder } from './support.ts'

const name = fc.constantFrom('X-A', 'x-b', 'Set-Cookie', 'set-cookie', 'ETag', 'Constructor', 'Content-Type')
const latin1 = (codes: number[]): string => String.fromCharCode(...codes)
const visible = fc.oneof(fc.integer({ min: 0x21, max: 0x7e }), fc.integer({ min: 0xa1, max: 0xff }))
const value = fc
  .array(fc.oneof(visible, fc.constantFrom(9, 32)), { minLength: 1, maxLength: 30 })
  .map((codes) => `a${latin1(codes)}z`)
const headers = fc.array(fc.tuple(name, value), { maxLength: 8 })
const text = fc.array(fc.nat(255), { maxLength: 200 }).map(latin1)
const crlf = (fields: [string, string][]): string =>
  fields.map(([key, each]) => `${key}: ${each}\r\n`).join('')

interface Answer {
  readonly method: string
  readonly bytes: string
  readonly cuts: number[]
  /** Its end is the connection's. */
  readonly end: boolean
}

const answer: fc.Arbitrary<Answer> = fc
  .record({
    method: fc.constantFrom('GET', 'HEAD', 'DELETE'),
    status: fc.constantFrom(200, 201, 204, 304, 404, 503),
    early: fc.array(headers, { maxLength: 2 }),
    headers,
    framing: fc.constantFrom('length', 'chunked', 'close'),
    parts: fc.array(text, { maxLength: 4 }),
    trailers: fc.array(fc.tuple(fc.constantFrom('X-T', 'x-u'), value), { maxLength: 3 }),
    cuts: fc.array(fc.nat(600), { maxLength: 4 }),
  })
  .map(({ method, status, early, headers: fields, framing, parts, trailers, cuts }) => {
    const bodyless = method === 'HEAD' || status === 204 || status === 304
    let head = early.map((each) => `HTTP/1.1 103 Early\r\n${crlf(each)}\r\n`).join('')
    head += `HTTP/1.1 ${status} Some Reason\r\n${crlf(fields)}`
    const full = parts.filter((part) => part !== '')
    const body = full.join('')
    let bytes = `${head}Connection: close\r\n\r\n${bodyless ? '' : body}`
    if (framing === 'length') bytes = `${head}Content-Length: ${body.length}\r\n\r\n${bodyless ? '' : body}`
    if (framing === 'chunked') {
      const chunks = full.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join('')
      const all = `${chunks}0\r\n${crlf(trailers)}\r\n`
      bytes = `${head}Transfer-Encoding: chunked\r\n\r\n${bodyless ? '' : all}`
    }
    return { method, bytes, cuts: [...cuts].sort((a, b) => a - b), end: framing === 'close' }
  })

test('random valid responses are told as undici tells them', async (t) => {
  let current: Answer | undefined
  const { port } = await byteServer(t, (socket) => {
    socket.on('data', async () => {
      const { bytes, cuts, end } = current as Answer
      let from = 0
      for (const to of [...cuts, bytes.length]) {
        if (to > from) socket.write(bytes.slice(from, to), 'latin1')
        from = Math.max(from, to)
        await new Promise((resolve) => setImmediate(resolve))
      }
      if (end) socket.end()
    })
  })
  const theirs = new Pool(`http://127.0.0.1:${port}`, { allowH2: false, pipelining: 1 })
  t.after(() => theirs.destroy())
  const ours = poolTo(t, port)
  const told = async (dispatch: (recorder: Recorder) => unknown): Promise<unknown> => {
    const recorder = new Recorder()
    dispatch(recorder)
    const { status, headers: got, informational, body, trailers, error, starts, ends } = await recorder.over
    return {
      status,
      headers: { ...got },
      informational,
      body,
      trailers: { ...trailers },
      error,
      starts,
      ends,
    }
  }
  await fc.assert(
    fc.asyncProperty(answer, async (each) => {
      current = each
      const { method } = each
      const theirWords = await told((recorder) => {
        const options = { method, path: '/', headers: ['host', 'a'], body: null, reset: false }
        theirs.dispatch(options as Dispatcher.DispatchOptions, recorder as Dispatcher.DispatchHandler)
      })
      const ourWords = await told((recorder) =>
        ours.dispatch({ method, path: '/', headers: ['host', 'a'], body: null }, recorder),
      )
      assert.deepEqual(ourWords, theirWords)
    }),
    { numRuns: 400 },
  )
})
