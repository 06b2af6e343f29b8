import { defineGateway } from './plugins/config/define.ts'

export default defineGateway({
  samples: [4001, 4002, 4003], // three sample targets that start along with the gateway: delete this line
  upstreams: {
    hello: {
      targets: [
        { origin: 'http://127.0.0.1:4001' },
        { origin: 'http://127.0.0.1:4002' },
        { origin: 'http://127.0.0.1:4003' },
      ],
      loadBalancing: 'round-robin',
    },
  },
  routes: [{ path: '/*', upstream: 'hello' }],
})
