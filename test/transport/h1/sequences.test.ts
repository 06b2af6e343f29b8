import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import fc from 'fast-check'
import { eventually } from '../support.ts'
import { answering, poolTo, type Recorder, send } from './support.ts'

/** What the target does with a request; each answer carries the request's path, so that a mix-up shows. */
const behaviour = fc.constantFrom('length', 'chunked', 'close', 'extra', 'cut', 'reset', 'malformed', 'late')
const client = fc.constantFrom('none', 'none', 'start', 'head', 'data', 'later', 'throw', 'pause', 'body')
const step = fc.record({ behaviour, client, wait: fc.boolean() })

test('random sequences: one end each, nobody gets the answer of another, the counts hold', async (t) => {
  const dirty = new Set<number>()
  let reusedDirty = 0
  const { port } = await answering(t, (head, socket, connection) => {
    if (dirty.has(connection)) reusedDirty++
    const path = / (\/\S+)/.exec(head)?.[1] ?? ''
    const kind = path.split('/')[1]
    const whole = `HTTP/1.1 200 OK\r\nContent-Length: ${path.length}\r\n\r\n${path}`
    if (kind !== 'length' && kind !== 'chunked' && kind !== 'late') dirty.add(connection)
    switch (kind) {
      case 'chunked': {
        const half = path.length >> 1
        const parts = [path.slice(0, half), path.slice(half)]
        const chunks = parts.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join('')
        return `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`
      }
      case 'close':
        return whole.replace('\r\n', '\r\nConnection: close\r\n')
      case 'extra':
        return `${whole}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil`
      case 'cut':
        socket.end(whole.slice(0, -1))
        return undefined
      case 'reset':
        socket.resetAndDestroy()
        return undefined
      case 'malformed':
        return whole.replace('\r\n', '\r\nx y: z\r\n')
      case 'late':
        setTimeout(() => socket.write(whole), 3)
        return undefined
      default:
        return whole
    }
  })
  let id = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 24 }),
      fc.integer({ min: 1, max: 3 }),
      async (steps, connections) => {
        const pool = poolTo(t, port, { connections })
        const all: { path: string; got: Recorder }[] = []
        for (const one of steps) {
          const path = `/${one.behaviour}/${++id}`
          const when = (phase: string) => (): void => {
            if (one.client === phase) got.controller?.abort(new Error('aborted'))
            if (one.client === 'throw' && phase === 'head') throw new Error('thrown')
            if (one.client !== 'pause' || phase === 'start') return
            got.controller?.pause()
            setImmediate(() => got.controller?.resume())
          }
          const body = one.client === 'body' ? Readable.from([Buffer.from('x')]) : null
          const on = {
            onRequestStart: when('start'),
            onResponseStart: when('head'),
            onResponseData: when('data'),
          }
          const got: Recorder = send(pool, { path, body, method: body === null ? 'GET' : 'POST' }, on)
          all.push({ path, got })
          if (one.client === 'later') setTimeout(() => got.controller?.abort(new Error('aborted')), 2)
          if (one.wait) await got.over
          const { connected, free, running, queued } = pool.stats
          assert.equal(connected, free + running)
          assert.ok(connected <= connections && queued <= all.length && free >= 0)
        }
        await Promise.all(all.map(({ got }) => got.over))
        await eventually(() => pool.stats.running === 0 && pool.stats.queued === 0, 'nothing runs')
        await pool.close()
        assert.deepEqual(pool.stats, { connected: 0, free: 0, running: 0, queued: 0 })
        for (const { path, got } of all) {
          assert.equal(got.ends, 1)
          assert.ok(got.starts <= 1)
          if (got.error === undefined) assert.equal(got.body, path)
          else assert.ok(path.startsWith(got.body))
        }
      },
    ),
    { numRuns: 80 },
  )
  assert.equal(reusedDirty, 0)
})
