import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { startFaulty } from '../support/faulty.ts'
import { gatewayTo } from './support.ts'

const KIB = 1024

/** Sends all of a body in pieces and reads only then, as many clients do. Resolves with what was there to read. */
async function sendThenRead(t: TestContext, port: number, head: string, pieces: number): Promise<string> {
  const socket = connect(port, '127.0.0.1').pause()
  t.after(() => socket.destroy())
  let error: Error | undefined
  socket.on('error', (reason) => {
    error = reason
  })
  socket.write(head)
  for (let sent = 0; sent < pieces && error === undefined; sent++) {
    socket.write(Buffer.alloc(64 * KIB, 'x'))
    await sleep(20)
  }
  assert.equal(error, undefined, 'the client must not be reset while it sends')
  let text = ''
  for await (const part of socket.setEncoding('latin1')) text += part
  return text
}

function upload(pieces: number): string {
  return `PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: ${pieces * 64 * KIB}\r\n\r\n`
}

// RFC 9112, 9.6: closed with bytes of the client's unread, a connection is reset, and the answer may be lost with it.
describe('an answer that comes before the request has ended', () => {
  it('reaches a client that goes on sending when the target broke in mid-upload', async (t) => {
    const target = await startFaulty(t, ({ socket }) => setTimeout(() => socket.resetAndDestroy(), 30))
    const gateway = await gatewayTo(t, target.origin)
    assert.match(await sendThenRead(t, gateway.port, upload(16), 16), /^HTTP\/1\.1 502 /)
  })

  it('reaches a client that goes on sending when its body is too large', async (t) => {
    const target = await startFaulty(t, () => {})
    const gateway = await gatewayTo(t, target.origin, { server: { bodyLimit: '256KiB' } })
    assert.match(await sendThenRead(t, gateway.port, upload(16), 16), /^HTTP\/1\.1 413 /)
  })

  it('is followed by the end of the connection, if the client sends nothing more', {
    timeout: 20_000,
  }, async (t) => {
    const target = await startFaulty(t, () => {})
    const gateway = await gatewayTo(t, target.origin, { server: { bodyLimit: '256KiB' } })
    const socket = connect({ port: gateway.port, allowHalfOpen: true })
    t.after(() => socket.destroy())
    socket.on('error', () => {})
    socket.write(upload(16))
    let text = ''
    socket.setEncoding('latin1').on('data', (part) => {
      text += part
    })
    await once(socket, 'end')
    assert.match(text, /^HTTP\/1\.1 413 /, 'our side is shut behind the answer')
    await sleep(1000)
    socket.write('x')
    await sleep(1500)
    assert.equal(socket.destroyed, false, 'it was still sending')
    const closed = new Promise((resolve) => socket.on('close', resolve))
    await sleep(1500)
    socket.write('x')
    await sleep(100)
    socket.write('x')
    await closed
  })
})
