import type { Fleet } from '../fleet.ts'

export default {
  about: 'one request in 50 is 50 times as much work as the others; 50 targets, 70 % load',
  targets: [{ count: 50, capacity: 4 }],
  service: { kind: 'bimodal', shortMs: 20, longMs: 1000, longShare: 0.02 },
  arrivals: { load: 0.7 },
  discipline: 'fifo',
  gateways: 4,
  keys: { count: 20_000, skew: 0.7 },
  reports: 'utilisation',
  requests: 400_000,
} satisfies Fleet
