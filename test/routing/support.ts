/** Random routes and requests over a small alphabet, so that they meet often. */
import fc from 'fast-check'
import type { Matcher, RequestFacts, RouteMatch } from '../../plugins/routing/route-match.ts'

const segment = fc.constantFrom('a', 'b', ':p', ':q')
const textPath = fc
  .tuple(fc.uniqueArray(segment, { maxLength: 3 }), fc.constantFrom('', '', '/', '/*'))
  .map(([segments, tail]) => `/${segments.join('/')}${tail}`.replace('//', '/'))
const path = fc.oneof(
  { weight: 6, arbitrary: textPath },
  { weight: 1, arbitrary: fc.constantFrom(/\/a(\/.)?/, /\/(?<name>[ab])\/.*/, /\/a.*|\/b/g, /\/A/i) },
)
const matcher: fc.Arbitrary<Matcher> = fc.constantFrom<Matcher[]>('1', '2', /1/, /^2$/, true, false)
const conditions = fc.option(
  fc.dictionary(fc.constantFrom('x', 'y'), matcher, { minKeys: 1, maxKeys: 2, noNullPrototype: true }),
  {
    nil: undefined,
    freq: 2, // absent in one of two
  },
)
const maybe = <Value>(arbitrary: fc.Arbitrary<Value>) => fc.option(arbitrary, { nil: undefined })

export const route: fc.Arbitrary<RouteMatch> = fc
  .record({
    host: maybe(fc.constantFrom('e.com', 'A.e.com', '*.e.com', '*.a.e.com', '*')),
    path,
    methods: maybe(fc.subarray(['GET', 'POST', 'put', 'HEAD', 'OPTIONS'], { minLength: 1 })),
    headers: conditions,
    query: conditions,
    cookies: conditions,
  })
  .map(
    (route) =>
      Object.fromEntries(
        Object.entries(route).filter(([, value]) => value !== undefined),
      ) as unknown as RouteMatch,
  )

const value = maybe(fc.constantFrom('1', '2', '12', ''))
const values = fc.record({ x: value, y: value })
const pairs = (values: { x: string | undefined; y: string | undefined }) =>
  Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`]))

export const request: fc.Arbitrary<RequestFacts> = fc
  .record({
    host: fc.constantFrom('e.com', 'a.e.com', 'A.E.COM:80', 'b.a.e.com.', 'z.e.com', 'other', '', '.e.com'),
    method: fc.constantFrom('GET', 'GET', 'POST', 'PUT', 'HEAD', 'OPTIONS', 'DELETE'),
    path: fc
      .tuple(fc.array(fc.constantFrom('a', 'b', 'c', 'A'), { maxLength: 4 }), fc.constantFrom('', '', '/'))
      .map(([segments, tail]) => (segments.length === 0 ? '/' : `/${segments.join('/')}${tail}`)),
    headers: values,
    query: values,
    cookies: values,
    list: fc.boolean(),
  })
  .map(({ host, method, path, headers, query, cookies, list }) => {
    const cookie = pairs(cookies).join('; ')
    const search = pairs(query).join('&')
    return {
      host,
      method,
      path,
      query: search === '' ? '' : `?${search}`,
      headers: {
        x: list && headers.x !== undefined ? ['7', headers.x] : headers.x,
        y: headers.y,
        ...(cookie === '' ? {} : { cookie }),
      },
    }
  })
