import type { Fleet } from '../fleet.ts'

export default {
  about:
    '1 of 20 targets freezes for 20 s, health checks notice after 6 s, answers are awaited for 1 s; 70 % load',
  targets: [{ count: 20, capacity: 4 }],
  service: { kind: 'exponential', meanMs: 50 },
  arrivals: { load: 0.7 },
  discipline: 'fifo',
  gateways: 2,
  deadlineMs: 1000,
  failures: [{ targets: [7], mode: 'freezes', fromMs: 20_000, toMs: 40_000 }],
  health: { afterMs: 6000 },
  keys: { count: 20_000, skew: 0.7 },
  reports: 'utilisation',
  requests: 60_000,
} satisfies Fleet
