import type { Fleet } from '../fleet.ts'
import antagonists from './antagonists.ts'

export default {
  ...antagonists,
  about:
    'the same antagonists, and each answer says how many requests the target has in flight and what they take',
  reports: 'rif',
  policies: [
    'smooth-weighted',
    'least-requests',
    'p2c',
    'orca-weighted',
    'prequal',
    { policy: 'prequal', probe: { path: '/load' } },
  ],
} satisfies Fleet
