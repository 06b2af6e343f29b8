import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { keyring } from '../../plugins/load-balancing/affinity/keyring.ts'
import { Sessions } from '../../plugins/load-balancing/affinity/sessions.ts'
import { readToken, writeToken } from '../../plugins/load-balancing/affinity/token.ts'
import type { Target } from '../../plugins/upstreams/contract.ts'
import type { KeyedRequest } from '../../plugins/upstreams/exchange.ts'
import { testTarget, testTargets } from '../support/test-targets.ts'

const OLD = 'an old secret of sixteen or more'
const NEW = 'a new secret of sixteen or more'
const HOUR = 3_600_000
const NOW = 1_800_000_000_000

const from = (cookie?: string): KeyedRequest => ({
  headers: cookie === undefined ? {} : { cookie },
  params: {},
  query: {},
  ip: '192.0.2.1',
})

function sessions(
  targets: readonly Target[],
  {
    secrets = [NEW],
    ttl = 0,
    now = () => NOW,
    upstream = 'users',
  }: { secrets?: readonly string[]; ttl?: number; now?: () => number; upstream?: string } = {},
): Sessions {
  const options = { cookie: 's', ttl, path: '/', sameSite: 'lax', httpOnly: true } as const
  let begun = 0
  const all = new Sessions(options, keyring(secrets, upstream), now, () => `nonce-${begun++ % 10}0`)
  for (const target of targets) all.add(target)
  return all
}

/** The cookie as the client sends it back. */
function given(to: Sessions, target: Target): string {
  const cookie = to.cookieFor(undefined, target, false)
  return (cookie as string).split(';')[0] as string
}

describe('a session’s token', () => {
  const signer = keyring([NEW], 'users')
  const [id = ''] = signer.idsOf('http://10.0.0.1:8080')
  const nonce = 'abcd-_89'

  it('comes back as it was written', () => {
    for (const expiresAt of [0, 2_000_000_000]) {
      assert.deepEqual(readToken(writeToken({ id, expiresAt, nonce }, signer), signer, NOW / 1000), {
        id,
        expiresAt,
        nonce,
      })
    }
  })

  it('is signed with HMAC-SHA256 under a key for this upstream and purpose', () => {
    const key = createHmac('sha256', NEW).update('holdfast session: signing for users').digest()
    const signature = createHmac('sha256', key).update(`${id}.0.${nonce}`).digest('base64url')
    assert.equal(writeToken({ id, expiresAt: 0, nonce }, signer), `${id}.0.${nonce}.${signature}`)
  })

  it('is refused with any character changed, taken out or put in', () => {
    const text = writeToken({ id, expiresAt: 2_000_000_000, nonce }, signer)
    const edit = fc.record({
      at: fc.nat(text.length - 1),
      by: fc.constantFrom('', 'A', 'z', '-', '.', '0', 'AA'),
      keep: fc.boolean(),
    })
    fc.assert(
      fc.property(edit, ({ at, by, keep }) => {
        const forged = text.slice(0, at) + by + text.slice(keep ? at : at + 1)
        // Base64 has two bits to spare in the last character: it is the same signature still.
        fc.pre(forged !== text && at < text.length - 1)
        assert.equal(readToken(forged, signer, NOW / 1000), undefined)
      }),
      { seed: 12, numRuns: 500 },
    )
    for (const junk of ['', '...', 'x', `${id}.0`, `${id}.0.${nonce}`, `${id}.0.${nonce}.`, text.repeat(2)]) {
      assert.equal(readToken(junk, signer, 0), undefined)
    }
  })

  it('ends when it says so', () => {
    const text = writeToken({ id, expiresAt: 1000, nonce }, signer)
    assert.notEqual(readToken(text, signer, 999.9), undefined)
    assert.equal(readToken(text, signer, 1000), undefined)
  })

  it('is worth nothing under another secret or for another upstream', () => {
    const text = writeToken({ id, expiresAt: 0, nonce }, signer)
    assert.equal(readToken(text, keyring([OLD], 'users'), 0), undefined)
    assert.equal(readToken(text, keyring([NEW], 'orders'), 0), undefined)
    assert.notEqual(readToken(text, keyring([OLD, NEW], 'users'), 0), undefined)
  })

  it('does not tell which server it is for', () => {
    const ids = ['http://10.0.0.1:8080', 'http://10.0.0.2:8080'].flatMap((origin) => [
      ...keyring([NEW, OLD], 'users').idsOf(origin),
      ...keyring([NEW], 'orders').idsOf(origin),
    ])
    assert.equal(new Set(ids).size, 6, 'each secret and upstream has ids of its own')
    for (const one of ids) assert.match(one, /^[\w-]{16}$/)
  })
})

describe('session affinity', () => {
  const targets = testTargets(4)
  const [first, second, third] = targets as [Target, Target, Target]
  const bound = (known: Sessions, cookie?: string) => known.bindingOf(from(cookie))

  it('binds what has a session to its target, and nothing else', () => {
    const known = sessions(targets)
    assert.equal(bound(known, given(known, third))?.target, third)
    assert.equal(bound(known), undefined)
    assert.equal(bound(known, 's=evil'), undefined)
  })

  it('tells sessions at one target apart, and goes on calling each the same', () => {
    let now = NOW
    const known = sessions(targets, { ttl: HOUR, now: () => now })
    const [one, other] = [given(known, third), given(known, third)]
    const key = bound(known, one)?.key
    assert.notEqual(key, bound(known, other)?.key)
    now += HOUR / 2 + 1000
    const renewed = known.cookieFor(bound(known, one), third, false)?.split(';')[0]
    assert.equal(bound(known, renewed)?.key, key)
  })

  it('tells the client once, and leaves its cookie while the target may come back', () => {
    let now = NOW
    const known = sessions(targets, { ttl: HOUR, now: () => now })
    const session = bound(known, given(known, second))
    assert.equal(known.cookieFor(session, second, false), undefined)
    assert.equal(known.cookieFor(session, first, false), undefined, 'another one answers meanwhile')
    now += HOUR / 2 + 1000
    assert.equal(known.cookieFor(session, first, false), undefined, 'however old it is')
  })

  it('begins anew when the target was removed, and goes on if it is added again', () => {
    const known = sessions(targets)
    const cookie = given(known, second)
    known.remove(second)
    assert.equal(bound(known, cookie)?.target, undefined)
    assert.match(known.cookieFor(bound(known, cookie), first, false) ?? '', /^s=/)
    known.add(second)
    assert.equal(bound(known, cookie)?.target, second)
  })

  it('moves a session to a better tier when one of that has answered, and not back', () => {
    const spare = testTarget(9, { tier: 1 })
    const known = sessions([...targets, spare])
    const moved = known.cookieFor(bound(known, given(known, spare)), first, false)?.split(';')[0]
    assert.equal(bound(known, moved)?.target, first)
    assert.equal(known.cookieFor(bound(known, given(known, first)), spare, false), undefined)
  })

  it('is renewed when half of its time is gone', () => {
    let now = NOW
    const known = sessions(targets, { ttl: HOUR, now: () => now })
    const cookie = given(known, second)
    const answer = (): string | undefined => known.cookieFor(bound(known, cookie), second, false)
    now += HOUR / 2 - 1000
    assert.equal(answer(), undefined)
    now += 3000
    const renewed = answer()?.split(';')[0]
    now += HOUR - 2000
    assert.equal(bound(known, cookie), undefined, 'the old one has ended')
    assert.equal(bound(known, renewed)?.target, second)
  })

  it('survives a change of secrets, and moves on to the first', () => {
    const before = sessions(targets, { secrets: [OLD] })
    const known = sessions(targets, { secrets: [NEW, OLD] })
    const cookie = given(before, third)
    assert.equal(bound(known, cookie)?.target, third)
    const renewed = known.cookieFor(bound(known, cookie), third, false)?.split(';')[0]
    const after = sessions(targets, { secrets: [NEW] })
    assert.equal(bound(after, renewed)?.target, third)
    assert.equal(bound(after, cookie), undefined)
  })

  it('is found behind cookies of the same name that others have planted', () => {
    const known = sessions(targets)
    const cookie = given(known, third)
    const planted = `s=evil; a=b; s=${'x'.repeat(16)}.0.${'z'.repeat(8)}.${'y'.repeat(43)}; ${cookie}`
    assert.equal(bound(known, planted)?.target, third)
    assert.equal(bound(known, `${'s=evil; '.repeat(9)}${cookie}`), undefined, 'but not behind any number')
  })

  it('says in the cookie what it is told to', () => {
    const options = {
      cookie: '__Host-s',
      ttl: HOUR,
      path: '/app',
      sameSite: 'none',
      httpOnly: false,
    } as const
    const known = new Sessions(
      options,
      keyring([NEW], 'users'),
      () => NOW,
      () => 'nonce-08',
    )
    assert.match(
      known.cookieFor(undefined, first, true) ?? '',
      /^__Host-s=[\w-]{16}\.[0-9a-z]+\.nonce-08\.[\w-]{43}; Path=\/app; Max-Age=3600; Secure; SameSite=None$/,
    )
    assert.match(
      sessions(targets).cookieFor(undefined, first, false) ?? '',
      /; Path=\/; HttpOnly; SameSite=Lax$/,
    )
  })
})
