import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { connect } from 'node:tls'
import { portFor } from '../../support/ports.ts'
import { poolTo, send } from './support.ts'

test('over TLS: round trips, a paused large answer, and a certificate that is not trusted', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'h1-tls-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost']
  const made = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-days',
    '2',
  ]
  execFileSync('openssl', [...made, ...subject, '-keyout', key, '-out', cert], { stdio: 'ignore' })
  const ca = readFileSync(cert)
  let connections = 0
  const server = createServer({ key: readFileSync(key), cert: ca }, (request, response) => {
    request
      .resume()
      .on('end', () => response.end(request.url === '/big' ? Buffer.alloc(3_000_000, 'x') : 'ok'))
  })
  server.on('secureConnection', () => connections++)
  await portFor(server)
  t.after(() => server.close())
  const { port } = server.address() as AddressInfo
  const to = { port, host: '127.0.0.1', servername: 'localhost' }
  for (const given of [false, true]) {
    const pool = poolTo(t, port, {
      secure: true,
      connect: (onread) => connect({ ...to, ca, ...(given ? { onread } : {}) }),
    })
    for (let i = 0; i < 3; i++) {
      const got = send(pool, { method: 'POST', body: Buffer.from('hello') })
      assert.equal((await got.over).body, 'ok')
    }
    const big = send(
      pool,
      { path: '/big' },
      {
        onResponseData: (controller) => {
          controller.pause()
          setImmediate(() => controller.resume())
        },
      },
    )
    assert.deepEqual([(await big.over).body.length, big.error], [3_000_000, undefined])
    assert.equal(connections, given ? 2 : 1)
  }
  const wary = poolTo(t, port, { secure: true, connect: () => connect(to) })
  const { error, starts } = await send(wary).over
  assert.deepEqual([error?.code, starts], ['DEPTH_ZERO_SELF_SIGNED_CERT', 0])
})
