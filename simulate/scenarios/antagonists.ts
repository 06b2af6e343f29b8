import type { Fleet } from '../fleet.ts'

/**
 * After Wydrowski et al., "Load is not what you should balance: Introducing Prequal" (NSDI 2024), section 5: replicas
 * share their machines with others' work, which comes and goes, so that at a load beyond the fair share some can carry
 * it and some cannot. CPU is shared by all requests of a replica; a late answer is an error.
 */
export default {
  about:
    'on 30 of 100 machines other work comes for 5 s and goes for 10 s, and makes them 2.5 times as slow; 80 % load, 100 gateways',
  targets: [{ count: 100, capacity: 4 }],
  service: { kind: 'lognormal', meanMs: 80, sigma: 0.8 },
  arrivals: { load: 0.8 },
  discipline: 'sharing',
  gateways: 100,
  deadlineMs: 2000,
  antagonists: [{ targets: { share: 0.3 }, slowdown: 2.5, onMs: 5000, offMs: 10_000 }],
  keys: { count: 20_000, skew: 0.7 },
  reports: 'utilisation',
  warmup: 0.2,
  requests: 400_000,
} satisfies Fleet
