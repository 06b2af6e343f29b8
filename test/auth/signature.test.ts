/** HTTP message signatures: RFC 9421's own examples, then whatever could be changed under way. */
import assert from 'node:assert/strict'
import { createHmac, generateKeyPairSync, sign } from 'node:crypto'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Refusal } from '../../plugins/auth/authenticator.ts'
import { signatureBase } from '../../plugins/auth/signature/base.ts'
import type { SignedRequest } from '../../plugins/auth/signature/components.ts'
import { wantedDigests } from '../../plugins/auth/signature/digest.ts'
import { signingKeys } from '../../plugins/auth/signature/keys.ts'
import { verifierOf } from '../../plugins/auth/signature/node.ts'
import { Nonces, TooManyNoncesError } from '../../plugins/auth/signature/nonces.ts'
import { serializeDictionary } from '../../plugins/auth/signature/serialize.ts'
import { type SignatureOptions, Signatures } from '../../plugins/auth/signature/signatures.ts'
import { type InnerList, parseDictionary } from '../../plugins/auth/signature/structured-fields.ts'

// RFC 9421, B.1 and B.2: public material.
const RSA_PSS = `-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAr4tmm3r20Wd/PbqvP1s2
+QEtvpuRaV8Yq40gjUR8y2Rjxa6dpG2GXHbPfvMs8ct+Lh1GH45x28Rw3Ry53mm+
oAXjyQ86OnDkZ5N8lYbggD4O3w6M6pAvLkhk95AndTrifbIFPNU8PPMO7OyrFAHq
gDsznjPFmTOtCEcN2Z1FpWgchwuYLPL+Wokqltd11nqqzi+bJ9cvSKADYdUAAN5W
Utzdpiy6LbTgSxP7ociU4Tn0g5I6aDZJ7A8Lzo0KSyZYoA485mqcO0GVAdVw9lq4
aOT9v6d+nb4bnNkQVklLQ3fVAvJm+xdDOp9LCNCN48V2pnDOkFV6+U9nV5oyc6XI
2wIDAQAB
-----END PUBLIC KEY-----`
const ED25519 = `-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=
-----END PUBLIC KEY-----`
const SECRET = 'uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ=='
const CREATED = 1_618_884_473
const HEADERS = [
  ...['Host', 'example.com', 'Date', 'Tue, 20 Apr 2021 02:07:55 GMT', 'Content-Type', 'application/json'],
  'Content-Digest',
  'sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:',
  ...['Content-Length', '18'],
]

interface Vector {
  readonly input: string
  readonly signature: string
  readonly covers: readonly string[]
}

const VECTORS: Readonly<Record<string, Vector>> = {
  'B.2.1, rsa-pss-sha512, minimal': {
    input: '();created=1618884473;keyid="test-key-rsa-pss";nonce="b3k2pp5k7z-50gnwp.yemd"',
    signature:
      'd2pmTvmbncD3xQm8E9ZV2828BjQWGgiwAaw5bAkgibUopemLJcWDy/lkbbHAve4cRAtx31Iq786U7it++wgGxbtRxf8Udx7zFZsckzXaJMkA7ChG52eSkFxykJeNqsrWH5S+oxNFlD4dzVuwe8DhTSja8xxbR/Z2cOGdCbzR72rgFWhzx2VjBqJzsPLMIQKhO4DGezXehhWwE56YCE+O6c0mKZsfxVrogUvA4HELjVKWmAvtl6UnCh8jYzuVG5WSb/QEVPnP5TmcAnLH1g+s++v6d4s8m0gCw1fV5/SITLq9mhho8K3+7EPYTU8IU1bLhdxO5Nyt8C8ssinQ98Xw9Q==',
    covers: [],
  },
  'B.2.2, rsa-pss-sha512, selective': {
    input:
      '("@authority" "content-digest" "@query-param";name="Pet");created=1618884473;keyid="test-key-rsa-pss";tag="header-example"',
    signature:
      'LjbtqUbfmvjj5C5kr1Ugj4PmLYvx9wVjZvD9GsTT4F7GrcQEdJzgI9qHxICagShLRiLMlAJjtq6N4CDfKtjvuJyE5qH7KT8UCMkSowOB4+ECxCmT8rtAmj/0PIXxi0A0nxKyB09RNrCQibbUjsLS/2YyFYXEu4TRJQzRw1rLEuEfY17SARYhpTlaqwZVtR8NV7+4UKkjqpcAoFqWFQh62s7Cl+H2fjBSpqfZUJcsIk4N6wiKYd4je2U/lankenQ99PZfB4jY3I5rSV2DSBVkSFsURIjYErOs0tFTQosMTAoxk//0RoKUqiYY8Bh0aaUEb0rQl3/XaVe4bXTugEjHSw==',
    covers: ['@authority', 'content-digest'],
  },
  'B.2.3, rsa-pss-sha512, full': {
    input:
      '("date" "@method" "@path" "@query" "@authority" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-rsa-pss"',
    signature:
      'bbN8oArOxYoyylQQUU6QYwrTuaxLwjAC9fbY2F6SVWvh0yBiMIRGOnMYwZ/5MR6fb0Kh1rIRASVxFkeGt683+qRpRRU5p2voTp768ZrCUb38K0fUxN0O0iC59DzYx8DFll5GmydPxSmme9v6ULbMFkl+V5B1TP/yPViV7KsLNmvKiLJH1pFkh/aYA2HXXZzNBXmIkoQoLd7YfW91kE9o/CCoC1xMy7JA1ipwvKvfrs65ldmlu9bpG6A9BmzhuzF8Eim5f8ui9eH8LZH896+QIF61ka39VBrohr9iyMUJpvRX2Zbhl5ZJzSRxpJyoEZAFL2FUo5fTIztsDZKEgM4cUA==',
    covers: ['@method', '@path', '@query', '@authority', 'content-digest'],
  },
  'B.2.5, hmac-sha256': {
    input: '("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret"',
    signature: 'pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=',
    covers: ['date', '@authority'],
  },
  'B.2.6, ed25519': {
    input:
      '("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519"',
    signature: 'wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==',
    covers: ['@method', '@path', '@authority'],
  },
}

const PLAIN = { plan: undefined, scopes: [], roles: [], claims: {}, apiKeys: [], certificates: [] }

type KeyConfig = Parameters<typeof verifierOf>[0]

function keysOf(...keys: (Partial<KeyConfig> & Pick<KeyConfig, 'id' | 'algorithm'>)[]) {
  const signers = keys.map((key) => ({ encoding: 'base64' as const, ...key }))
  return signingKeys({ acme: { ...PLAIN, signingKeys: signers } } as never, verifierOf)
}

const RFC_KEYS = keysOf(
  { id: 'test-key-rsa-pss', algorithm: 'rsa-pss-sha512', publicKey: RSA_PSS },
  { id: 'test-key-ed25519', algorithm: 'ed25519', publicKey: ED25519 },
  { id: 'test-shared-secret', algorithm: 'hmac-sha256', secret: SECRET },
)

const DEFAULTS: SignatureOptions = {
  covers: ['@method', '@authority', '@path', '@query'],
  body: 'required',
  maxAge: 300_000,
  skew: 30_000,
  nonce: 'required',
  nonces: 1000,
}

function checker(options: Partial<SignatureOptions> = {}, keys = RFC_KEYS) {
  const clock = { at: CREATED * 1000 }
  const signatures = new Signatures(
    keys,
    { ...DEFAULTS, ...options },
    { date: () => clock.at, now: () => clock.at },
  )
  return { signatures, clock }
}

function rfcRequest(more: readonly string[] = []): SignedRequest {
  return {
    method: 'POST',
    scheme: 'https',
    authority: 'example.com',
    target: '/foo?param=Value&Pet=dog',
    rawHeaders: [...HEADERS, ...more],
  }
}

function why(verdict: unknown): string {
  assert.ok(verdict instanceof Refusal, `not refused: ${JSON.stringify(verdict)}`)
  return verdict.why
}

/** Signs `request` with the shared secret. */
function signed(request: SignedRequest, input: string, label = 'sig'): SignedRequest {
  const parsed = parseDictionary(`${label}=${input}`)?.get(label) as InnerList
  const base = signatureBase(parsed, request)
  assert.ok('text' in base, JSON.stringify(base))
  const bytes = createHmac('sha256', Buffer.from(SECRET, 'base64'))
    .update(base.text, 'latin1')
    .digest('base64')
  const more = ['Signature-Input', `${label}=${input}`, 'Signature', `${label}=:${bytes}:`]
  return { ...request, rawHeaders: [...request.rawHeaders, ...more] }
}

const PARAMETERS = `;created=${CREATED};keyid="test-shared-secret";nonce="n1"`
const COVERS = '("@method" "@authority" "@path" "@query" "content-digest" "date")'

describe('the examples of RFC 9421', () => {
  for (const [name, { input, signature, covers }] of Object.entries(VECTORS)) {
    it(name, () => {
      const { signatures } = checker({ covers: covers as never, nonce: 'optional', body: 'if-covered' })
      const request = rfcRequest(['Signature-Input', `sig=${input}`, 'Signature', `sig=:${signature}:`])
      const verdict = signatures.authenticate(request, true)
      assert.ok(verdict !== undefined && !(verdict instanceof Refusal), JSON.stringify(verdict))
      assert.equal(verdict.identity.consumer, 'acme')
      const other = Buffer.from(signature, 'base64')
      other[7] = (other[7] as number) ^ 1
      const forged = ['Signature-Input', `sig=${input}`, 'Signature', `sig=:${other.toString('base64')}:`]
      assert.match(
        why(
          checker({ covers: covers as never, nonce: 'optional', body: 'if-covered' }).signatures.authenticate(
            rfcRequest(forged),
            true,
          ),
        ),
        /not what the key makes/,
      )
    })
  }

  it('ecdsa-p256-sha256, with a key of our own: the example is of a response', () => {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString()
    const keys = keysOf({ id: 'p256', algorithm: 'ecdsa-p256-sha256', publicKey: pem })
    const input = `("@method");created=${CREATED};keyid="p256"`
    const text = `"@method": POST\n"@signature-params": ${input}`
    const bytes = sign('sha256', Buffer.from(text), { key: privateKey, dsaEncoding: 'ieee-p1363' })
    const { signatures } = checker({ covers: ['@method'], nonce: 'optional', body: 'if-covered' }, keys)
    const request = rfcRequest([
      'Signature-Input',
      `a=${input}`,
      'Signature',
      `a=:${bytes.toString('base64')}:`,
    ])
    const verdict = signatures.authenticate(request, true)
    assert.ok(verdict !== undefined && 'identity' in verdict)
  })

  it('derived components, as 2.2 shows them', () => {
    const request: SignedRequest = {
      method: 'POST',
      scheme: 'https',
      authority: 'WWW.Example.com:443',
      target:
        '/path?param=value&foo=bar&baz=bat%2Dman&qux=&var=this%20is%20a%20big%0Avalue&fa%C3%A7ade%22%3A%20=a*(b)',
      rawHeaders: [],
    }
    const base = (components: string) => {
      const parsed = signatureBase(parseDictionary(`a=${components}`)?.get('a') as InnerList, request)
      return 'text' in parsed ? parsed.text.split('\n').slice(0, -1) : parsed.why
    }
    assert.deepEqual(base('("@authority" "@scheme" "@path" "@method")'), [
      '"@authority": www.example.com',
      '"@scheme": https',
      '"@path": /path',
      '"@method": POST',
    ])
    assert.deepEqual(
      base('("@query-param";name="baz" "@query-param";name="qux" "@query-param";name="var")'),
      [
        '"@query-param";name="baz": bat-man',
        '"@query-param";name="qux": ',
        '"@query-param";name="var": this%20is%20a%20big%0Avalue',
      ],
    )
    assert.deepEqual(base('("@query-param";name="fa%C3%A7ade%22%3A%20")'), [
      '"@query-param";name="fa%C3%A7ade%22%3A%20": a*%28b%29',
    ])
    assert.match(
      base('("@target-uri")')[0] as string,
      /^"@target-uri": https:\/\/www\.example\.com\/path\?param/,
    )
    const bare = signatureBase(parseDictionary('a=("@path" "@query")')?.get('a') as InnerList, {
      ...request,
      target: '',
    })
    assert.match('text' in bare ? bare.text : '', /^"@path": \/\n"@query": \?\n/)
  })
})

describe('header fields', () => {
  const request: SignedRequest = {
    ...rfcRequest(),
    rawHeaders: [
      ...['X-Twice', ' one', 'x-twice', 'two  ', 'X-Empty', '', 'Priority', 'u=1,   i'],
      ...['X-Dict', ' a=1,   b=(x  y);q=9, c;z', 'X-Tenant', 'ours', 'X_Tenant', 'theirs', 'x_own', '1'],
    ],
  }
  const line = (component: string): string => {
    const base = signatureBase(parseDictionary(`a=(${component})`)?.get('a') as InnerList, request)
    return 'text' in base ? (base.text.split('\n')[0] as string) : `! ${base.why}`
  }
  for (const [component, wanted] of [
    ['"x-twice"', '"x-twice": one, two'],
    ['"x-empty"', '"x-empty": '],
    ['"x-twice";bs', '"x-twice";bs: :b25l:, :dHdv:'],
    ['"priority";sf', '"priority";sf: u=1, i'],
    ['"x-dict";key="b"', '"x-dict";key="b": (x y);q=9'],
    ['"x-dict";key="c"', '"x-dict";key="c": ?1;z'],
    ['"x-dict";sf', '! says sf of x-dict'],
    ['"x-dict";key="d"', '! covers a member of x-dict that is not there'],
    ['"x-twice";bs;sf', '! says bs together'],
    ['"x-twice";req', '! covers x-twice with the parameter req'],
    ['"x-twice";tr', '! covers x-twice with the parameter tr'],
    ['"x-twice";bs=1', '! has the parameter bs with a value'],
    ['"X-Twice"', '! covers a header whose name is not in lower case'],
    // Two to us, and one to CGI, WSGI, PHP.
    ['"x-tenant"', '! covers the header x-tenant, which was sent in another spelling too'],
    ['"x_tenant";bs', '! covers the header x_tenant, which was sent in another spelling too'],
    ['"x_own"', '"x_own": 1'],
    ['"x-none"', '! covers the header x-none, which was not sent'],
    ['"@status"', '! covers @status, which requests do not have'],
    ['"@path";sf', '! covers @path with the parameter sf'],
    ['"@query-param"', '! covers @query-param without a name'],
    ['"@query-param";name="none"', '! covers the query parameter "none"'],
    ['x-twice', '! covers something that is not named by a string'],
    ['"x-empty" "x-empty"', '! covers "x-empty" twice'],
  ] as const) {
    it(component, () => assert.ok(line(component).startsWith(wanted), line(component)))
  }
})

describe('what a signature has to be like', () => {
  const accepted = (request: SignedRequest, options: Partial<SignatureOptions> = {}, hasBody = true) =>
    checker(options).signatures.authenticate(request, hasBody)

  it('covers what is demanded, and the body if there is one', () => {
    const good = signed(rfcRequest(), COVERS + PARAMETERS)
    assert.ok('identity' in (accepted(good) as object))
    const bare = signed(rfcRequest(), `("@method" "@authority" "@path" "@query")${PARAMETERS}`)
    assert.match(why(accepted(bare)), /does not cover content-digest/)
    assert.ok('identity' in (accepted(bare, {}, false) as object))
    const wide = signed(rfcRequest(), `("@method" "@target-uri")${PARAMETERS}`)
    assert.ok('identity' in (accepted(wide, {}, false) as object))
    for (const left of ['@method', '@authority', '@path', '@query']) {
      const some = ['@method', '@authority', '@path', '@query'].filter((name) => name !== left)
      const request = signed(rfcRequest(), `(${some.map((name) => `"${name}"`).join(' ')})${PARAMETERS}`)
      assert.match(why(accepted(request, {}, false)), new RegExp(`does not cover ${left}$`))
    }
  })

  it('is no older than may be, and not of the future', () => {
    const { signatures, clock } = checker({ nonce: 'optional' })
    const request = signed(
      rfcRequest(),
      `${COVERS};created=${CREATED};expires=${CREATED + 60};keyid="test-shared-secret"`,
    )
    const at = (seconds: number): unknown => {
      clock.at = (CREATED + seconds) * 1000
      return signatures.authenticate(request, true)
    }
    assert.ok('identity' in (at(0) as object))
    assert.ok('identity' in (at(-30) as object))
    assert.match(why(at(-31)), /future/)
    assert.ok('identity' in (at(90) as object))
    assert.match(why(at(91)), /it has expired/)
    const old = signed(rfcRequest(), `${COVERS};created=${CREATED};keyid="test-shared-secret"`)
    clock.at = (CREATED + 330) * 1000
    assert.ok('identity' in (signatures.authenticate(old, true) as object))
    clock.at += 1
    assert.match(why(signatures.authenticate(old, true)), /too long ago/)
    for (const created of ['', ';created=1.5', ';created="1"', `;created=${CREATED};expires="never"`]) {
      const request = signed(rfcRequest(), `${COVERS}${created};keyid="test-shared-secret";nonce="z"`)
      assert.match(why(accepted(request)), /does not say when/)
    }
  })

  it('is taken once', () => {
    const { signatures } = checker()
    const request = signed(rfcRequest(), COVERS + PARAMETERS)
    assert.ok('identity' in (signatures.authenticate(request, true) as object))
    assert.match(why(signatures.authenticate(request, true)), /nonce was used before/)
    const without = signed(rfcRequest(), `${COVERS};created=${CREATED};keyid="test-shared-secret"`)
    assert.match(why(signatures.authenticate(without, true)), /no nonce/)
  })

  it('never chooses its algorithm (RFC 9421, 7.3.6)', () => {
    const withAlg = (alg: string) => signed(rfcRequest(), `${COVERS};alg=${alg}${PARAMETERS}`)
    assert.ok('identity' in (accepted(withAlg('"hmac-sha256"')) as object))
    for (const alg of ['"ed25519"', '"rsa-pss-sha512"', '"none"', 'hmac-sha256', '""'])
      assert.match(why(accepted(withAlg(alg))), /algorithm/)
    // A public key taken for a shared secret: the classic.
    const input = `${COVERS};created=${CREATED};keyid="test-key-ed25519";nonce="x"`
    const base = signatureBase(parseDictionary(`a=${input}`)?.get('a') as InnerList, rfcRequest())
    const mac = createHmac('sha256', ED25519)
      .update('text' in base ? base.text : '')
      .digest('base64')
    const forged = rfcRequest(['Signature-Input', `a=${input}`, 'Signature', `a=:${mac}:`])
    assert.match(why(accepted(forged)), /not what the key makes/)
  })

  it('is found among others, by a key that is known and a tag that is wanted', () => {
    const first = signed(rfcRequest(), COVERS + PARAMETERS, 'b')
    const stranger = ['Signature-Input', 'a=("@method");created=1;keyid="strange"', 'Signature', 'a=:AAAA:']
    const both = { ...first, rawHeaders: [...stranger, ...first.rawHeaders] }
    assert.ok('identity' in (accepted(both) as object))
    assert.equal(accepted(first, { tag: 'mine' }), undefined)
    const tagged = signed(rfcRequest(), `${COVERS};tag="mine"${PARAMETERS}`)
    assert.ok('identity' in (accepted(tagged, { tag: 'mine' }) as object))
    assert.match(why(accepted(rfcRequest(stranger))), /no such key/)
    assert.equal(accepted(rfcRequest()), undefined)
  })

  it('can be read, or is refused as malformed', () => {
    for (const [input, signature] of [
      ['a=("@method"', 'a=:AAAA:'],
      ['a="@method"', 'a=:AAAA:'],
      ['a=("@method")', 'a="AAAA"'],
      ['a=("@method")', 'b=:AAAA:'],
      ['a=("@method")', ''],
      [Array.from({ length: 9 }, (_, i) => `a${i}=()`).join(','), 'a=:AAAA:'],
    ] as const) {
      const verdict = accepted(rfcRequest(['Signature-Input', input, 'Signature', signature]))
      assert.ok(verdict instanceof Refusal && verdict.error === 'invalid_request', input)
    }
  })

  it('costs little before it is known whose it is, whatever is sent', () => {
    const names = Array.from({ length: 65 }, (_, i) => `"x-${i}"`).join(' ')
    const many = [...HEADERS, ...Array.from({ length: 65 }, (_, i) => [`x-${i}`, 'v']).flat()]
    const request = { ...rfcRequest(), rawHeaders: many }
    const crowd = ['Signature-Input', `a=(${names})${PARAMETERS}`, 'Signature', 'a=:AAAA:']
    assert.match(why(accepted({ ...request, rawHeaders: [...many, ...crowd] })), /more than 64 components/)

    // Runs of blanks, and one dictionary that is asked for again and again: what an expression or a parser could choke on.
    const blanks = `a${' '.repeat(200_000)}b`
    const dictionary = Array.from({ length: 20_000 }, (_, i) => `k${i}`).join(',')
    const members = Array.from({ length: 64 }, (_, i) => `"x";key="k${i}"`).join(' ')
    const from = performance.now()
    for (const [input, x] of [
      [`a=("x")${PARAMETERS}`, blanks],
      [`${blanks}`, 'x'],
      [`a=(${members})${PARAMETERS}`, dictionary],
    ] as const) {
      const verdict = accepted(rfcRequest(['X', x, 'Signature-Input', input, 'Signature', 'a=:AAAA:']))
      assert.ok(verdict instanceof Refusal)
    }
    assert.ok(performance.now() - from < 3000, 'its cost grows with the square of what is sent')
  })

  it('is refused when any covered byte is another', () => {
    const good = signed(rfcRequest(), COVERS + PARAMETERS)
    const covered = ['host', 'date', 'content-digest', 'signature-input', 'signature']
    const places = [
      'method',
      'authority',
      'target',
      ...good.rawHeaders.flatMap((name, i) =>
        i % 2 === 0 && covered.includes(name.toLowerCase()) && name !== 'Host' ? [i + 1] : [],
      ),
    ] as const
    fc.assert(
      fc.property(
        fc.constantFrom(...places),
        fc.nat(),
        fc.integer({ min: 33, max: 126 }),
        (place, at, code) => {
          const text =
            typeof place === 'number' ? (good.rawHeaders[place] as string) : good[place as 'method']
          const i = at % text.length
          const changed = text.slice(0, i) + String.fromCharCode(code) + text.slice(i + 1)
          fc.pre(changed !== text && !(place === 'authority' && changed.toLowerCase() === text))
          const request =
            typeof place === 'number'
              ? { ...good, rawHeaders: good.rawHeaders.map((one, j) => (j === place ? changed : one)) }
              : { ...good, [place]: changed }
          const verdict = checker().signatures.authenticate(request, true)
          assert.ok(verdict instanceof Refusal, `${place}: ${text} -> ${changed}`)
        },
      ),
      { numRuns: 1500, seed: 9421 },
    )
  })
})

describe('nonces', () => {
  it('are kept for their time, whenever they come, and no longer', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 400 }), fc.integer({ min: 0, max: 20 }))),
        (steps) => {
          const keep = 300
          const nonces = new Nonces(keep, 1_000_000)
          const usedAt = new Map<string, number>()
          let now = 0
          for (const [after, which] of steps) {
            now += after
            const nonce = `n${which}`
            const before = usedAt.get(nonce)
            const taken = nonces.take(nonce, now)
            assert.equal(taken, before === undefined || now - before >= keep)
            if (taken) usedAt.set(nonce, now)
            assert.equal(nonces.size, [...usedAt.values()].filter((at) => now - at < keep).length)
          }
        },
      ),
      { numRuns: 500 },
    )
  })

  it('that there is no room for are refused, and none that counts is let go for them', () => {
    const nonces = new Nonces(1000, 2)
    assert.ok(nonces.take('a', 0) && nonces.take('b', 1))
    assert.throws(() => nonces.take('c', 2), TooManyNoncesError)
    assert.equal(nonces.take('a', 3), false)
    assert.throws(() => nonces.take('c', 999), TooManyNoncesError)
    assert.ok(nonces.take('c', 1000))
  })

  it('were refused at half of the rate that there is room for', () => {
    const [keep, limit] = [360_000, 10_000]
    const nonces = new Nonces(keep, limit)
    // As many as fit in, at an even rate, for ten times as long as each is kept.
    for (let i = 0; i < 10 * limit; i++) assert.ok(nonces.take(String(i), i * (keep / limit)))
  })
})

describe('structured fields', () => {
  for (const text of [
    ...[
      'a',
      'a=1',
      'a=-0',
      'a=1.25',
      'a="x\\"y\\\\"',
      'a=tok/en:*',
      'a=:AQI=:',
      'a=?0',
      'a=@1659578233',
      'a=%"f%c3%bc"',
    ],
    ...['a=()', 'a=("x";y;z=1 t);q="1"', 'a=1, b;c', 'a=1;b=?0;c'],
  ]) {
    it(`takes and writes ${text}`, () => {
      const parsed = parseDictionary(text)
      assert.ok(parsed !== undefined)
      assert.equal(serializeDictionary(parsed), text.replace('-0', '0'))
    })
  }
  for (const text of [
    ...[
      'A=1',
      'a=',
      'a=1,',
      'a=1,,b',
      'a=1 b',
      'a=1.',
      'a=1.2345',
      'a=1234567890123456',
      'a=1.2.3',
      'a="x',
      'a="\\n"',
    ],
    ...[
      'a="é"',
      'a=:A:',
      'a=:AQJ=:',
      'a=:AQI:',
      'a=?2',
      'a=@1.5',
      'a=%"%C3"',
      'a=%"%c3"',
      'a=(1',
      'a=(1,2)',
      'a=("a""b")',
    ],
    ...['a=1;B', 'a=-', 'a=--1', 'a=\t1', '=1', 'a=1;', 'a=1234567890123.1'],
  ]) {
    it(`refuses ${JSON.stringify(text)}`, () => assert.equal(parseDictionary(text), undefined))
  }
  it('of several of one name the last counts, at its own place', () => {
    const parsed = parseDictionary('a=1, b=2, a=3;x;y;x=2')
    assert.equal(parsed && serializeDictionary(parsed), 'b=2, a=3;y;x=2')
  })
  it('never throws, and writes what it reads back as it would read it', () => {
    const alphabet = fc.constantFrom(...'ab=();:",?@% 019.-*/\\AQ\t'.split(''))
    fc.assert(
      fc.property(fc.string({ unit: alphabet, maxLength: 24 }), (text) => {
        const parsed = parseDictionary(text)
        if (parsed === undefined) return
        const again = serializeDictionary(parsed)
        assert.equal(serializeDictionary(parseDictionary(again) ?? new Map()), again)
      }),
      { numRuns: 3000 },
    )
  })
})

describe('digests of bodies', () => {
  const digest = (value: string, signedKeys: ReadonlySet<string> | 'all' = 'all') => {
    const wanted = wantedDigests(['Content-Digest', value], signedKeys)
    return 'why' in wanted ? wanted.why : wanted.map(({ algorithm }) => algorithm).join()
  }
  it('count in the algorithms that are safe, all of them', () => {
    assert.equal(digest('sha-256=:AAAA:, sha-512=:AAAA:, md5=:AAAA:'), 'sha256,sha512')
    assert.match(digest('md5=:AAAA:'), /neither/)
    assert.match(digest('sha-256="AAAA"'), /no bytes/)
    assert.match(digest('sha-256'), /no bytes/)
    assert.match(digest('{'), /cannot be read/)
    assert.match(digest('constructor=:AAAA:'), /neither/)
  })
  it('that are not signed themselves are not relied on', () => {
    assert.match(digest('sha-256=:AAAA:, md5=:AAAA:', new Set(['md5'])), /neither/)
    assert.equal(digest('sha-256=:AAAA:, md5=:AAAA:', new Set(['sha-256'])), 'sha256')
  })
})
