import type { Fleet } from '../fleet.ts'

export default {
  about: '90 targets of three sizes, each with the weight that its size deserves, 85 % load',
  targets: [
    { count: 30, capacity: 2, weight: 1 },
    { count: 30, capacity: 4, weight: 2 },
    { count: 30, capacity: 8, weight: 4 },
  ],
  service: { kind: 'exponential', meanMs: 50 },
  arrivals: { load: 0.85 },
  discipline: 'fifo',
  gateways: 4,
  keys: { count: 20_000, skew: 0.7 },
  reports: 'utilisation',
  requests: 400_000,
} satisfies Fleet
