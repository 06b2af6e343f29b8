import type { Fleet } from '../fleet.ts'

export default {
  about: 'a quarter of 100 targets are machines half as fast, and their weights do not say so; 75 % load',
  targets: [
    { count: 75, capacity: 4 },
    { count: 25, capacity: 4, speed: 0.5 },
  ],
  service: { kind: 'lognormal', meanMs: 50, sigma: 0.8 },
  arrivals: { load: 0.75 },
  discipline: 'fifo',
  gateways: 4,
  deadlineMs: 2000,
  keys: { count: 20_000, skew: 0.7 },
  reports: 'utilisation',
  // Policies that learn slowly are measured once they have learnt.
  warmup: 0.25,
  requests: 400_000,
} satisfies Fleet
