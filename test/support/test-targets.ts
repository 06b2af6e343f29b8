import type { LeaseRequest, Target } from '../../plugins/upstreams/contract.ts'

type Mutable<T> = { -readonly [K in keyof T]: T[K] }
/** A target whose figures a test sets at will. */
export type TestTarget = Mutable<Target>

export function testTarget(number: number, figures: Partial<Target> = {}): TestTarget {
  const origin = `http://10.0.0.${number}:8080`
  return {
    id: origin,
    upstream: 'contract',
    origin,
    weight: 1,
    tier: 0,
    zone: '',
    inflight: 0,
    tunnels: 0,
    waiting: 0,
    quietSince: 0,
    draining: false,
    share: 1,
    standing: 'well',
    ...figures,
  }
}

export function testTargets(count: number, figures: Partial<Target> = {}): [TestTarget, ...TestTarget[]] {
  return Array.from({ length: count }, (_, i) => testTarget(i + 1, figures)) as [TestTarget, ...TestTarget[]]
}

export function testRequest(key = ''): LeaseRequest {
  return { key, repeatable: true, tried: new Set() }
}
