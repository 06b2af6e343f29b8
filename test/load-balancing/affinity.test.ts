import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Eligible, withAffinity } from '../../plugins/load-balancing/affinity/affinity.ts'
import { keyring } from '../../plugins/load-balancing/affinity/keyring.ts'
import { hasSession, Sessions, withoutSession } from '../../plugins/load-balancing/affinity/sessions.ts'
import { readToken, writeToken } from '../../plugins/load-balancing/affinity/token.ts'
import { roundRobin } from '../../plugins/load-balancing/choose/round-robin.ts'
import type { Balancer, LeaseRequest, Target } from '../../plugins/upstreams/contract.ts'
import type { KeyedRequest } from '../../plugins/upstreams/exchange.ts'
import { balancerContract } from '../contracts/balancer.ts'
import { testRequest, testTarget, testTargets } from '../support/test-targets.ts'

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
  const all = new Sessions(options, keyring(secrets, upstream), now)
  for (const target of targets) all.add(target)
  return all
}

/** The cookie as the client sends it back. */
function given(to: Sessions, target: Target): string {
  const cookie = to.cookieFor(from(), '', target, false)
  return (cookie as string).split(';')[0] as string
}

balancerContract('affinity over round-robin', () => {
  const known = testTargets(4)
  return withAffinity(roundRobin(), sessions(known), new Eligible(() => known))
})

describe('a session’s token', () => {
  const signer = keyring([NEW], 'users')
  const [id = ''] = signer.idsOf('http://10.0.0.1:8080')

  it('comes back as it was written', () => {
    for (const expiresAt of [0, 2_000_000_000]) {
      assert.deepEqual(readToken(writeToken({ id, expiresAt }, signer), signer, NOW / 1000), {
        id,
        expiresAt,
      })
    }
  })

  it('is signed with HMAC-SHA256 under a key for this upstream and purpose', () => {
    const key = createHmac('sha256', NEW).update('holdfast session: signing for users').digest()
    const signature = createHmac('sha256', key).update(`${id}.0`).digest('base64url')
    assert.equal(writeToken({ id, expiresAt: 0 }, signer), `${id}.0.${signature}`)
  })

  it('is refused with any character changed, taken out or put in', () => {
    const text = writeToken({ id, expiresAt: 2_000_000_000 }, signer)
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
    for (const junk of ['', '..', 'x', `${id}.0`, `${id}.0.`, text.repeat(2)]) {
      assert.equal(readToken(junk, signer, 0), undefined)
    }
  })

  it('ends when it says so', () => {
    const text = writeToken({ id, expiresAt: 1000 }, signer)
    assert.notEqual(readToken(text, signer, 999.9), undefined)
    assert.equal(readToken(text, signer, 1000), undefined)
  })

  it('is worth nothing under another secret or for another upstream', () => {
    const text = writeToken({ id, expiresAt: 0 }, signer)
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

  function begin(options: Parameters<typeof sessions>[1] = {}) {
    const known = sessions(targets, options)
    const eligible = new Set<Target>(targets)
    const balancer = withAffinity(roundRobin(), known, new Eligible(() => [...eligible]))
    balancer.onTargets?.(targets)
    const pick = (key: string, more: Partial<LeaseRequest> = {}): Target =>
      balancer.pick(targets, { ...testRequest(key), ...more })
    return { known, eligible, balancer, pick }
  }

  it('sends what has a session to its target, and the rest where the policy says', () => {
    const { known, pick } = begin()
    const key = known.keyOf(from(given(known, third)), '')
    assert.deepEqual(
      [pick(''), pick(key), pick(''), pick(key), pick('')],
      [first, third, second, third, third],
    )
  })

  it('goes by the policy while the target is absent, was tried, or is another gateway’s', () => {
    const { known, eligible, balancer, pick } = begin()
    const key = known.keyOf(from(given(known, third)), '')
    eligible.delete(third)
    balancer.onTargets?.(targets)
    assert.deepEqual([pick(key), pick(key)], [first, second])
    eligible.add(third)
    balancer.onTargets?.(targets)
    assert.equal(pick(key), third, 'it returns to its target')
    assert.equal(
      pick(key, { tried: new Set([third]) }),
      third,
      'whose turn it is: a try elsewhere is the registry’s to see to',
    )
    assert.equal(pick(key, { tried: new Set([third]) }), targets[3])
  })

  it('finds the target in another tier', () => {
    const spare = testTarget(9, { tier: 1 })
    const known = sessions([...targets, spare])
    const eligible = new Eligible(() => [...targets, spare])
    const [upper, lower] = [
      withAffinity(roundRobin(), known, eligible),
      withAffinity(roundRobin(), known, eligible),
    ]
    upper.onTargets?.(targets)
    lower.onTargets?.([spare])
    assert.equal(upper.pick(targets, testRequest(known.keyOf(from(given(known, spare)), ''))), spare)
    assert.equal(lower.pick([spare], testRequest(known.keyOf(from(given(known, first)), ''))), first)
  })

  it('hands the policy the key that it wants, without the session', () => {
    const known = sessions(targets)
    const seen: string[] = []
    const inner: Balancer = {
      pick(candidates, { key }) {
        seen.push(key)
        return candidates[0]
      },
    }
    const balancer = withAffinity(inner, known, new Eligible(() => []))
    const request = from(given(known, first))
    for (const key of ['', 'user-7', '\u0001']) {
      const whole = known.keyOf(request, key)
      assert.equal(hasSession(whole), true)
      assert.equal(withoutSession(whole), key)
      balancer.pick(targets, testRequest(whole))
      balancer.pick(targets, testRequest(known.keyOf(from(), key)))
    }
    assert.deepEqual(seen, ['', '', 'user-7', 'user-7', '\u0001', '\u0001'])
  })

  it('tells the client once, and leaves its cookie while the target may come back', () => {
    const { known } = begin()
    const request = from(given(known, second))
    const key = known.keyOf(request, '')
    assert.equal(known.cookieFor(request, key, second, false), undefined)
    assert.equal(known.cookieFor(request, key, first, false), undefined, 'another one answers meanwhile')
  })

  it('begins anew when the target was removed, and goes on if it is added again', () => {
    const { known } = begin()
    const request = from(given(known, second))
    const key = known.keyOf(request, '')
    known.remove(second)
    assert.equal(known.targetOf(key), undefined)
    assert.match(known.cookieFor(request, key, first, false) ?? '', /^s=/)
    known.add(second)
    assert.equal(known.targetOf(key), second)
  })

  it('moves a session to a better tier when one of that has answered, and not back', () => {
    const spare = testTarget(9, { tier: 1 })
    const known = sessions([...targets, spare])
    const onSpare = from(given(known, spare))
    const moved = known.cookieFor(onSpare, known.keyOf(onSpare, ''), first, false)
    assert.equal(moved?.split(';')[0], given(known, first))
    const onFirst = from(given(known, first))
    assert.equal(known.cookieFor(onFirst, known.keyOf(onFirst, ''), spare, false), undefined)
  })

  it('is renewed when half of its time is gone, for the session’s own target', () => {
    let now = NOW
    const { known } = begin({ ttl: HOUR, now: () => now })
    const request = from(given(known, second))
    const answer = (): string | undefined => known.cookieFor(request, known.keyOf(request, ''), first, false)
    now += HOUR / 2 - 1000
    assert.equal(answer(), undefined)
    now += 3000
    const renewed = from(answer()?.split(';')[0])
    now += HOUR - 2000
    assert.equal(known.targetOf(known.keyOf(request, '')), undefined, 'the old one has ended')
    assert.equal(known.targetOf(known.keyOf(renewed, '')), second)
  })

  it('survives a change of secrets, and moves on to the first', () => {
    const before = sessions(targets, { secrets: [OLD] })
    const { known, pick } = begin({ secrets: [NEW, OLD] })
    const request = from(given(before, third))
    const key = known.keyOf(request, '')
    assert.equal(pick(key), third)
    const renewed = from(known.cookieFor(request, key, third, false)?.split(';')[0])
    const after = sessions(targets, { secrets: [NEW] })
    assert.equal(after.targetOf(after.keyOf(renewed, '')), third)
    assert.equal(after.targetOf(after.keyOf(request, '')), undefined)
  })

  it('is found behind cookies of the same name that others have planted', () => {
    const { known } = begin()
    const cookie = given(known, third)
    const planted = `s=evil; a=b; s=${'x'.repeat(16)}.0.${'y'.repeat(43)}; ${cookie}`
    assert.equal(known.targetOf(known.keyOf(from(planted), '')), third)
    assert.equal(
      known.targetOf(known.keyOf(from(`${'s=evil; '.repeat(9)}${cookie}`), '')),
      undefined,
      'but not behind any number',
    )
  })

  it('says in the cookie what it is told to', () => {
    const options = {
      cookie: '__Host-s',
      ttl: HOUR,
      path: '/app',
      sameSite: 'none',
      httpOnly: false,
    } as const
    const known = new Sessions(options, keyring([NEW], 'users'), () => NOW)
    const text = known.cookieFor(from(), '', first, true) ?? ''
    assert.match(
      text,
      /^__Host-s=[\w-]{16}\.[0-9a-z]+\.[\w-]{43}; Path=\/app; Max-Age=3600; Secure; SameSite=None$/,
    )
    assert.match(
      sessions(targets).cookieFor(from(), '', first, false) ?? '',
      /; Path=\/; HttpOnly; SameSite=Lax$/,
    )
  })
})
