import type { Fleet } from '../fleet.ts'

export default {
  about:
    '20 gateways, 50 targets, and every 2 s a burst of four times the rate for 200 ms; 65 % load in the mean',
  targets: [{ count: 50, capacity: 4 }],
  service: { kind: 'exponential', meanMs: 50 },
  arrivals: { load: 0.65, shape: { kind: 'bursts', factor: 4, everyMs: 2000, forMs: 200 } },
  discipline: 'fifo',
  gateways: 20,
  keys: { count: 20_000, skew: 0.7 },
  reports: 'utilisation',
  requests: 400_000,
} satisfies Fleet
