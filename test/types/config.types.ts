/**
 * What the editor says before a file is saved. `tsc` proves it: a line below that stops being an error makes
 * its `@ts-expect-error` one. Nothing here runs.
 */
import { defineGateway } from '../../plugins/config/define.ts'

declare module '../../plugins/upstreams/contract.ts' {
  interface BalancerOptions {
    // As a user's own plugin adds them: one of which an option is needed, one that has none.
    'types-sticky': { readonly cookie: string; readonly ttl?: number | undefined }
    'types-first': Record<never, never>
  }
}

const users = { targets: [{ origin: 'http://a' }] } as const
const one = { upstreams: { users } }
const routes = [] as const

// What compiles.

defineGateway({ upstreams: {}, routes: [] })
defineGateway({
  server: { trustProxy: ['10.0.0.0/8'], bodyLimit: '10MiB', drain: 0, headerLimit: undefined },
  logs: undefined,
  samples: [4001],
  upstreams: {
    users: {
      targets: [
        { origin: 'http://a', weight: 5 },
        { origin: process.env.USERS ?? 'http://b', tier: 1, weight: undefined },
      ],
      loadBalancing: 'types-first',
      timeouts: { connect: '250ms', response: 1500, idle: '1.5m' },
      tls: { ca: process.env.USERS_CA },
    },
    orders: { ...users, loadBalancing: { policy: 'types-sticky', cookie: 'sid' } },
    plain: { ...users, loadBalancing: { policy: 'random' } },
  },
  routes: [
    { path: '/users/*', upstream: 'users', host: undefined, timeout: '5s', methods: ['GET'] },
    { path: /^\/orders\/\d+$/, split: { users: 95, orders: 5 }, headers: { 'x-a': /^v\d$/, 'x-b': true } },
    { path: '~/x/[0-9]+', upstream: 'users', mirror: 'orders' },
    { path: '/m', upstream: 'users', mirror: { upstream: 'orders', percent: 10 } },
    { path: '/old/:id', redirect: '/new/:id' },
    { path: '/gone', redirect: { to: '/', status: 302 } },
    { path: '/teapot', respond: { status: 418 } },
  ],
})

// Lists that are computed. That one is empty is said at the start.

declare const ports: readonly number[]
defineGateway({
  upstreams: { users: { targets: ports.map((port) => ({ origin: `http://10.0.0.1:${port}` })) } },
  routes: [{ path: '/x', upstream: 'users', methods: ['GET', 'POST'].slice(1) }],
})

// Names of upstreams.

// @ts-expect-error no upstream of this name
defineGateway({ ...one, routes: [{ path: '/x', upstream: 'user' }] })
defineGateway({
  ...one,
  routes: [
    { path: '/x', upstream: 'users' },
    // @ts-expect-error no upstream of this name, though another route is fine
    { path: '/y', upstream: 'usesr' },
  ],
})
// @ts-expect-error there are none at all
defineGateway({ upstreams: {}, routes: [{ path: '/x', upstream: 'users' }] })
// @ts-expect-error a split names an upstream that is not there
defineGateway({ ...one, routes: [{ path: '/x', split: { users: 1, user: 1 } }] })
// @ts-expect-error shares are numbers
defineGateway({ ...one, routes: [{ path: '/x', split: { users: '95' } }] })
// @ts-expect-error a mirror, in short
defineGateway({ ...one, routes: [{ path: '/x', upstream: 'users', mirror: 'user' }] })
// @ts-expect-error a mirror, in full
defineGateway({ ...one, routes: [{ path: '/x', upstream: 'users', mirror: { upstream: 'user' } }] })

// Balancers.

// @ts-expect-error no balancer of this name
defineGateway({ upstreams: { u: { ...users, loadBalancing: 'round-robbin' } }, routes })
// @ts-expect-error the same, in full
defineGateway({ upstreams: { u: { ...users, loadBalancing: { policy: 'round-robbin' } } }, routes })
defineGateway({
  // @ts-expect-error it has no such option
  upstreams: { u: { ...users, loadBalancing: { policy: 'types-sticky', cookie: '', tll: 1 } } },
  routes,
})
defineGateway({
  // @ts-expect-error its option is of another type
  upstreams: { u: { ...users, loadBalancing: { policy: 'types-sticky', cookie: 1 } } },
  routes,
})
// @ts-expect-error an option of it is required
defineGateway({ upstreams: { u: { ...users, loadBalancing: { policy: 'types-sticky' } } }, routes })
// @ts-expect-error so that its bare name will not do
defineGateway({ upstreams: { u: { ...users, loadBalancing: 'types-sticky' } }, routes })

// Those that look at load, and their options.

defineGateway({
  upstreams: {
    a: { ...users, loadBalancing: 'p2c' },
    b: { ...users, loadBalancing: { policy: 'p2c', load: 'peak-ewma', decay: '5s' } },
    c: { ...users, loadBalancing: { policy: 'least-requests', choices: 3, fullScan: undefined } },
    d: { ...users, loadBalancing: { policy: 'prequal', probe: { path: '/prequal' } } },
    e: { ...users, loadBalancing: { policy: 'orca-weighted', expiration: '1m' } },
    f: { ...users, loadBalancing: 'smooth-weighted' },
  },
  routes,
})
// @ts-expect-error no load of this name
defineGateway({ upstreams: { u: { ...users, loadBalancing: { policy: 'p2c', load: 'cpu' } } }, routes })
// @ts-expect-error an option of another balancer
defineGateway({ upstreams: { u: { ...users, loadBalancing: { policy: 'p2c', choices: 3 } } }, routes })
// @ts-expect-error a probe goes to a path
defineGateway({ upstreams: { u: { ...users, loadBalancing: { policy: 'prequal', probe: {} } } }, routes })

defineGateway({
  upstreams: {
    a: { ...users, loadBalancing: 'ring-hash', zoneAware: 'eu-1a', subset: 20 },
    b: {
      ...users,
      loadBalancing: { policy: 'ring-hash', on: [{ header: 'x' }, 'identity'], points: 80, bounded: false },
    },
    c: {
      ...users,
      loadBalancing: { policy: 'maglev', on: 'client-address', tableSize: 1009, bounded: { eps: 0.5 } },
    },
    d: {
      ...users,
      sessionAffinity: {
        secret: [process.env.NEW, process.env.OLD],
        ttl: '1h',
        sameSite: 'strict',
        secure: true,
      },
    },
    e: {
      ...users,
      sessionAffinity: { secret: process.env.SECRET },
      zoneAware: { zone: 'a', minHealthy: 0.7 },
    },
  },
  routes,
})
defineGateway({
  // @ts-expect-error no source of keys
  upstreams: { u: { ...users, loadBalancing: { policy: 'maglev', on: 'adress' } } },
  routes,
})
defineGateway({
  // @ts-expect-error a source is of a kind that there is
  upstreams: { u: { ...users, loadBalancing: { policy: 'maglev', on: { headr: 'x' } } } },
  routes,
})
defineGateway({
  // @ts-expect-error a ring has no table
  upstreams: { u: { ...users, loadBalancing: { policy: 'ring-hash', tableSize: 7 } } },
  routes,
})
defineGateway({
  // @ts-expect-error a bound is false or has an eps
  upstreams: { u: { ...users, loadBalancing: { policy: 'maglev', bounded: true } } },
  routes,
})
// @ts-expect-error in sessionAffinity
defineGateway({ upstreams: { u: { ...users, sessionAffinity: { secrte: 'x' } } }, routes })
// @ts-expect-error in zoneAware
defineGateway({ upstreams: { u: { ...users, zoneAware: { zone: 'a', minHelthy: 1 } } }, routes })
// @ts-expect-error a subset has a size
defineGateway({ upstreams: { u: { ...users, subset: { instance: 1 } } }, routes })

// Targets.

// @ts-expect-error needs targets
defineGateway({ upstreams: { users: {} }, routes })
// @ts-expect-error a target has an origin
defineGateway({ upstreams: { users: { targets: [{ weight: 1 }] } }, routes })
// @ts-expect-error a tier is a number
defineGateway({ upstreams: { users: { targets: [{ origin: 'http://a', tier: 'x' }] } }, routes })
// @ts-expect-error tiers are 0 to 9
defineGateway({ upstreams: { users: { targets: [{ origin: 'http://a', tier: 10 }] } }, routes })
// @ts-expect-error a weight is a number
defineGateway({ upstreams: { users: { targets: [{ origin: 'http://a', weight: '5' }] } }, routes })

// Keys that nobody knows, section by section.

// @ts-expect-error at the top
defineGateway({ ...one, routes, upstrems: {} })
// @ts-expect-error in server
defineGateway({ server: { bodyLimt: 1 }, ...one, routes })
// @ts-expect-error in server.tls
defineGateway({ server: { tls: { cert: 'a', key: 'b', cet: 'c' } }, ...one, routes })
// @ts-expect-error in logs
defineGateway({ logs: { acess: true }, ...one, routes })
// @ts-expect-error in endpoints
defineGateway({ endpoints: { livez: '/livez' }, ...one, routes })
// @ts-expect-error in an upstream
defineGateway({ upstreams: { users: { ...users, lodBalancing: 'random' } }, routes })
// @ts-expect-error in a target
defineGateway({ upstreams: { users: { targets: [{ origin: 'http://a', wieght: 1 }] } }, routes })
// @ts-expect-error in limits
defineGateway({ upstreams: { users: { ...users, limits: { conections: 1 } } }, routes })
// @ts-expect-error in timeouts
defineGateway({ upstreams: { users: { ...users, timeouts: { conect: 1 } } }, routes })
// @ts-expect-error in tls
defineGateway({ upstreams: { users: { ...users, tls: { verfy: true } } }, routes })
// @ts-expect-error in a route
defineGateway({ ...one, routes: [{ path: '/x', upstream: 'users', mehtods: ['GET'] }] })
// @ts-expect-error in a redirect
defineGateway({ ...one, routes: [{ path: '/x', redirect: { to: '/', sattus: 301 } }] })
// @ts-expect-error in edits
defineGateway({ ...one, routes: [{ path: '/x', upstream: 'users', requestHeaders: { st: {} } }] })

// @ts-expect-error in failover
defineGateway({ upstreams: { u: { ...users, failover: { retrys: 1 } } }, routes })
// @ts-expect-error in failover.budget
defineGateway({ upstreams: { u: { ...users, failover: { budget: { min: 1 } } } }, routes })
// @ts-expect-error in admin
defineGateway({ ...one, routes, admin: { prt: 9901, port: 9901 } })
// @ts-expect-error in a listener
defineGateway({ ...one, routes, listeners: [{ port: 80, hsot: '::' }] })

// Values.

// @ts-expect-error a unit that there is not
defineGateway({ server: { drain: '5 sec' }, ...one, routes })
// @ts-expect-error no unit
defineGateway({ upstreams: { users: { ...users, timeouts: { connect: '5' } } }, routes })
// @ts-expect-error sizes are in KiB, MiB, GiB
defineGateway({ server: { bodyLimit: '10MB' }, ...one, routes })
// @ts-expect-error a path begins with a slash
defineGateway({ ...one, routes: [{ path: 'users', upstream: 'users' }] })
// @ts-expect-error a route has a path
defineGateway({ ...one, routes: [{ upstream: 'users' }] })
// @ts-expect-error a choice
defineGateway({ upstreams: { users: { ...users, host: 'keep' } }, routes })
// @ts-expect-error a status that is no redirect
defineGateway({ ...one, routes: [{ path: '/x', redirect: { to: '/', status: 200 } }] })
// @ts-expect-error routes are needed
defineGateway({ upstreams: { users } })
