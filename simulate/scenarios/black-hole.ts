import type { Fleet } from '../fleet.ts'

export default {
  about: '2 of 20 targets answer 500 at once for 20 s, and no health source takes them out; 70 % load',
  targets: [{ count: 20, capacity: 4 }],
  service: { kind: 'exponential', meanMs: 50 },
  arrivals: { load: 0.7 },
  discipline: 'fifo',
  gateways: 2,
  deadlineMs: 2000,
  failures: [{ targets: [3, 11], mode: 'errors', fromMs: 20_000, toMs: 40_000 }],
  keys: { count: 20_000, skew: 0.7 },
  reports: 'utilisation',
  requests: 60_000,
} satisfies Fleet
