import { defineGateway } from '../../plugins/config/define.ts'

const [a, b, c] = (process.env.BENCH_TARGETS ?? '').split(',').map((port) => `http://127.0.0.1:${port}`)

export default defineGateway({
  upstreams: {
    bench: {
      targets: [{ origin: a! }, { origin: b! }, { origin: c! }],
      loadBalancing: 'round-robin',
    },
  },
  routes: [{ path: '/*', upstream: 'bench' }],
  logs: { access: false },
})
