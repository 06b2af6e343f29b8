import { defineGateway } from '../../plugins/config/define.ts'

const [a, b, c, d] = (process.env.SOAK_TARGETS ?? '').split(',').map((port) => `http://127.0.0.1:${port}`)

// Everything that keeps state about targets or requests is on. Times are short, so that ten minutes see many turns.
export default defineGateway({
  server: { drain: '2s' },
  admin: { port: Number(process.env.SOAK_ADMIN) },
  debugHeader: { trusted: ['127.0.0.1'] },
  upstreams: {
    targets: {
      targets: [
        { origin: a!, tier: 0 },
        { origin: b!, tier: 0 },
        { origin: c!, tier: 1 },
        { origin: d!, tier: 1 },
      ],
      loadBalancing: 'random',
      failover: { retries: 2, retryOn: [500, 502, 503, 504], spareFor: '3s' },
      healthCheck: {
        path: '/healthz',
        interval: '500ms',
        fastInterval: '200ms',
        timeout: '300ms',
        rise: 2,
        fall: 2,
      },
      outlierDetection: { interval: '2s', baseEjection: '1s', maxEjection: '10s' },
      slowStart: { window: '2s' },
      failBackAfter: '2s',
      circuitBreaker: { openFor: '1s', maxOpenFor: '5s' },
      timeouts: { connect: '1s', response: '4s', idle: '4s' },
    },
  },
  routes: [
    { path: '/*', upstream: 'targets', timeout: '10s' },
    { path: '/large/*', upstream: 'targets' },
    { path: '/huge/*', upstream: 'targets' },
    { path: '/events/*', upstream: 'targets' },
  ],
})
