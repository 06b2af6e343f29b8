import assert from 'node:assert/strict'
import { once } from 'node:events'
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import https from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import type { TLSSocket } from 'node:tls'
import { readTls, renewTls } from '../../plugins/config/listener-tls.ts'
import { FileChanges } from '../../plugins/listeners/file-changes.ts'
import { type Certificate, createAuthority } from '../support/certificates.ts'
import { freePort } from '../support/ports.ts'
import { startProcess } from '../support/process.ts'
import { startTarget } from '../support/target.ts'
import { gatewayTo, until } from './support.ts'

const authority = createAuthority()

/** A certificate in files of its own, which can be written anew. */
function renewable(t: TestContext, { certFile, keyFile }: Certificate) {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const cert = join(folder, 'cert.pem')
  const key = join(folder, 'key.pem')
  const put = (from: { certFile: string; keyFile: string }): void => {
    copyFileSync(from.certFile, cert)
    copyFileSync(from.keyFile, key)
  }
  put({ certFile, keyFile })
  return { cert, key, put }
}

/** Asks over a connection of `agent`; says which certificate it was made with, or that it took up a session. */
async function get(port: number, servername: string, agent: https.Agent | false = false) {
  const request = https.get({
    host: '127.0.0.1',
    port,
    servername,
    agent: agent as https.Agent,
    ca: authority.cert,
  })
  const [response] = await once(request, 'response')
  // It is gone from the socket once the answer has been read.
  const socket = response.socket as TLSSocket
  const { serialNumber } = socket.getPeerCertificate()
  const resumed = socket.isSessionReused()
  const { localPort } = socket
  await buffer(response)
  return { serial: serialNumber, resumed, localPort, status: response.statusCode }
}

test('a certificate that was renewed was shown only after a restart: SIGHUP to a real process', async (t) => {
  const target = await startTarget(t)
  const main = renewable(t, authority.issue('main.test'))
  const further = renewable(t, authority.issue('further.test'))
  const text = authority.issue('text.test')
  const admin = await freePort()
  const extra = await freePort()
  const gateway = await startProcess(t, {
    config: `
      import { defineGateway } from './plugins/config/define.ts'
      export default defineGateway({
        server: {
          drain: '1s',
          tls: {
            cert: '${main.cert}', key: '${main.key}',
            more: [{ cert: '${further.cert}', key: '${further.key}' }],
          },
        },
        listeners: [{
          host: '127.0.0.1', port: ${extra}, http2: true,
          tls: { cert: ${JSON.stringify(text.cert)}, key: ${JSON.stringify(text.key)} },
        }],
        admin: { port: ${admin} },
        upstreams: { one: { targets: [{ origin: '${target.origin}' }] } },
        routes: [{ path: '/*', upstream: 'one' }],
      })`,
  })
  const { port, child, lines } = gateway
  const said = (what: string) => lines.some(({ msg }) => String(msg).includes(what))
  const ends = async (place: string): Promise<number> => {
    const page = await (await fetch(`http://127.0.0.1:${admin}/metrics`)).text()
    const name = `holdfast_certificate_expiry_timestamp_seconds{place="${place}"} `
    return Number(
      page
        .split('\n')
        .find((line) => line.startsWith(name))
        ?.slice(name.length),
    )
  }

  const agent = new https.Agent({ keepAlive: true, maxSockets: 1 })
  t.after(() => agent.destroy())
  const before = await get(port, 'main.test', agent)
  const beforeFurther = await get(port, 'further.test')
  const beforeText = await get(extra, 'text.test')
  const month = await ends('server.tls')

  main.put(authority.issue('main.test', { days: 90 }))
  further.put(authority.issue('further.test', { names: ['DNS:new.test'] }))
  child.kill('SIGHUP')
  await until(() => said('server.tls is renewed'), 'renewed')
  const open = await get(port, 'main.test', agent)
  assert.deepEqual(open, before, 'an open connection goes on')
  const after = await get(port, 'main.test')
  assert.notEqual(after.serial, before.serial)
  const afterFurther = await get(port, 'new.test')
  assert.notEqual(afterFurther.serial, beforeFurther.serial)
  assert.equal((await get(port, 'further.test')).serial, afterFurther.serial)
  assert.equal((await get(extra, 'text.test')).serial, beforeText.serial, 'PEM text stays')
  assert.ok((await ends('server.tls')) - month > 50 * 86_400, 'the metric follows')

  // A key that is not the certificate's is refused, and holds up nobody else.
  writeFileSync(main.key, authority.issue('main.test').key)
  further.put(authority.issue('further.test'))
  child.kill('SIGHUP')
  await until(
    () => said('not renewed, the old one stays: server.tls.key: is not the key of the certificate in `cert`'),
    'refused',
  )
  await until(() => lines.filter(({ msg }) => String(msg).includes('is renewed')).length === 2, 'again')
  assert.equal((await get(port, 'main.test')).serial, after.serial)
  assert.notEqual((await get(port, 'further.test')).serial, afterFurther.serial)
  writeFileSync(main.key, 'no key at all')
  child.kill('SIGHUP')
  await until(() => said('server.tls.key: holds no private key'), 'refused')
  assert.ok(!gateway.output().includes('no key at all'), 'what is in the file stays there')
  assert.equal((await get(port, 'main.test')).serial, after.serial)

  // A hangup in the drain window is no second signal.
  child.kill('SIGTERM')
  await until(() => said('draining'), 'drains')
  child.kill('SIGHUP')
  assert.equal(await gateway.ended, 0)
})

test('files that have changed are read again by themselves, once they are whole', async (t) => {
  const target = await startTarget(t)
  const files = renewable(t, authority.issue('main.test'))
  const looks: (() => void)[] = []
  const { setInterval } = globalThis
  const timers = t.mock.method(globalThis, 'setInterval', ((run: () => void, ms: number) => {
    if (ms === 60_000) looks.push(run)
    return setInterval(run, ms)
  }) as typeof setInterval)
  const lines: string[] = []
  const { port } = await gatewayTo(
    t,
    target.origin,
    { server: { http2: true, tls: { cert: files.cert, key: files.key } } },
    { log: (line) => lines.push(line) },
  )
  timers.mock.restore()
  const minute = (): void => {
    for (const look of looks) look()
  }
  const agent = new https.Agent()
  const before = await get(port, 'main.test', agent)
  assert.equal((await get(port, 'main.test', agent)).resumed, true)
  minute()
  minute()
  const renewed = authority.issue('main.test')
  copyFileSync(renewed.certFile, files.cert)
  minute()
  copyFileSync(renewed.keyFile, files.key)
  minute()
  assert.equal((await get(port, 'main.test')).serial, before.serial)
  minute()
  const after = await get(port, 'main.test', agent)
  assert.equal(after.resumed, false, 'a session from before proves nothing of the new certificate')
  assert.notEqual(after.serial, before.serial)
  minute()
  const told = lines.filter((line) => /renewed/.test(line))
  assert.equal(told.length, 1, told.join(''))
})

test('changes of files are told once, when they have come to rest', () => {
  const changes = new FileChanges('a')
  const looks = ['a', 'b', 'c', 'c', 'c', 'd', 'c', 'c', 'a', 'a']
  assert.deepEqual(
    looks.map((stamp) => changes.look(stamp)),
    [false, false, false, true, false, false, false, false, false, true],
  )
})

test('a new certificate that clients would refuse does not replace one that they take', (t) => {
  const files = renewable(t, authority.issue('main.test', { days: 5 }))
  const more = renewable(t, authority.issue('more.test'))
  const config = { cert: files.cert, key: files.key, more: [{ cert: more.cert, key: more.key }] }
  const { tls } = readTls(config, 'server.tls')
  assert.ok(tls !== undefined)
  const days = (count: number): number => Date.now() + count * 86_400_000
  const renew = (now: number) => {
    const renewed = renewTls(tls, config, 'server.tls', now)
    return {
      same: renewed.tls === tls,
      said: renewed.problems.map(({ path, message }) => `${path}: ${message}`),
    }
  }
  // What is there already is no news, even if it has expired meanwhile.
  assert.deepEqual(renew(days(6)), { same: true, said: [] })
  files.put(authority.issue('main.test', { days: 3 }))
  assert.deepEqual(renew(days(0)), { same: false, said: [] })
  const expired = renew(days(4))
  assert.equal(expired.same, true)
  assert.match(expired.said.join(), /^server\.tls\.cert: has expired \(.*Z\); put one there that has not$/)
  assert.match(renew(days(-1)).said.join(), /^server\.tls\.cert: holds from .*Z on; put it there then$/)
  // One that would take another's name changes nothing at all.
  files.put(authority.issue('main.test', { names: ['DNS:more.test'] }))
  assert.deepEqual(renew(days(0)), {
    same: true,
    said: ['server.tls.more[0].cert: is for more.test, and so is server.tls.cert; take one of them out'],
  })
})
