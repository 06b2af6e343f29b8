import type { Fleet } from '../fleet.ts'

export default {
  about:
    'each of 20 targets remembers 2000 of 50,000 keys, and what it remembers costs a fifth; 85 % load if nothing were remembered',
  targets: [{ count: 20, capacity: 4 }],
  service: { kind: 'exponential', meanMs: 50 },
  arrivals: { load: 0.85 },
  discipline: 'fifo',
  gateways: 4,
  keys: { count: 50_000, skew: 0.9 },
  cache: { keys: 2000, hit: 0.2 },
  reports: 'utilisation',
  warmup: 0.3,
  requests: 400_000,
  policies: [
    'round-robin',
    'random',
    'least-requests',
    'p2c',
    'ring-hash',
    'maglev',
    { policy: 'maglev', bounded: { eps: 1 } },
    { policy: 'ring-hash', bounded: false },
    { policy: 'maglev', bounded: false },
  ],
} satisfies Fleet
