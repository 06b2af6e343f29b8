/** What `auth` takes, on the gateway and on routes. */
import { defineGateway } from '../../plugins/config/define.ts'

const one = { upstreams: {} }
const issuer = { issuer: 'https://id.example', audience: 'api' }

defineGateway({
  ...one,
  auth: { jwt: { issuers: [{ ...issuer, algorithms: ['RS256'] }], from: { cookie: 'session' } } },
  routes: [
    { path: '/a', auth: 'jwt' },
    { path: '/b', auth: ['jwt', 'api-key'] },
    { path: '/c', auth: { accept: ['jwt'], optional: true } },
  ],
})

// @ts-expect-error no such kind
defineGateway({ ...one, routes: [{ path: '/', auth: 'jwtt' }] })
// @ts-expect-error no such kind in a list
defineGateway({ ...one, routes: [{ path: '/', auth: ['jwt', 'jwtt'] }] })
// @ts-expect-error no kind at all
defineGateway({ ...one, routes: [{ path: '/', auth: [] }] })
// @ts-expect-error no such option of a route
defineGateway({ ...one, routes: [{ path: '/', auth: { accept: 'jwt', optinal: true } }] })
// @ts-expect-error no such kind to set up
defineGateway({ ...one, auth: { jwtt: {} }, routes: [] })
// @ts-expect-error an audience is needed
defineGateway({ ...one, auth: { jwt: { issuers: [{ issuer: 'https://id.example' }] } }, routes: [] })
// @ts-expect-error tokens without a signature
defineGateway({ ...one, auth: { jwt: { issuers: [{ ...issuer, algorithms: ['none'] }] } }, routes: [] })
