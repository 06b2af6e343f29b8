import { defineGateway } from '../../plugins/config/define.ts'

const [a, b, c] = (process.env.AVAILABILITY_TARGETS ?? '')
  .split(',')
  .map((port) => `http://127.0.0.1:${port}`)

export default defineGateway({
  server: { drain: 0 }, // nobody is in front who would have to be told
  upstreams: {
    targets: {
      targets: [{ origin: a! }, { origin: b! }, { origin: c! }],
      loadBalancing: 'round-robin',
      failover: { retries: 2, retryOn: [500, 502, 503, 504] },
      // As the peers have it.
      healthCheck: {
        path: '/healthz',
        interval: '500ms',
        fastInterval: '200ms',
        timeout: '300ms',
        rise: 2,
        fall: 2,
      },
      timeouts: { connect: '1s', response: '5s', idle: '5s' },
    },
  },
  routes: [{ path: '/*', upstream: 'targets' }],
  logs: { access: false },
})
