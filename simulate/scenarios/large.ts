import type { Fleet } from '../fleet.ts'

export default {
  about:
    '10,000 targets behind 20 gateways that know nothing of each other, 85 % load, begun with nothing under way',
  targets: [{ count: 10_000, capacity: 1 }],
  service: { kind: 'exponential', meanMs: 50 },
  arrivals: { load: 0.85 },
  discipline: 'fifo',
  gateways: 20,
  keys: { count: 100_000, skew: 0.7 },
  reports: 'utilisation',
  warmup: 0.3,
  requests: 1_000_000,
} satisfies Fleet
