import type { Fleet } from '../fleet.ts'

export default {
  about: '100 targets that are all alike, nothing goes wrong, 85 % load',
  targets: [{ count: 100, capacity: 4 }],
  service: { kind: 'exponential', meanMs: 50 },
  arrivals: { load: 0.85 },
  discipline: 'fifo',
  gateways: 4,
  keys: { count: 20_000, skew: 0.7 },
  reports: 'utilisation',
  requests: 400_000,
} satisfies Fleet
