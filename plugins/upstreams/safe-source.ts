import type { LeaseRequest, Outcome, Target } from './contract.ts'
import type { HealthSource, Veto } from './health-source.ts'

/**
 * A source whose faults cost no request: where it fails, it has no opinion; a target that it forbids without being able
 * to say why is unhealthy. It has the hooks that the source has when it is added.
 * @param failed hears of all its faults
 */
export function safeSource(source: HealthSource, failed: (error: unknown) => void): HealthSource {
  const safe: HealthSource = {
    name: source.name,
    allows: (target) => {
      try {
        return source.allows(target)
      } catch (error) {
        failed(error)
        return true
      }
    },
  }
  if (source.veto !== undefined) safe.veto = vetoOf(source, failed)
  if (source.share !== undefined) safe.share = shareOf(source, failed)
  if (source.trusts !== undefined) safe.trusts = trustsOf(source, failed)
  if (source.admit !== undefined) safe.admit = admitOf(source, failed)
  if (source.onOutcome !== undefined) safe.onOutcome = outcomesOf(source, failed)
  return safe
}

type Failed = (error: unknown) => void

const vetoOf =
  (source: HealthSource, failed: Failed) =>
  (target: Target): Veto => {
    try {
      return source.veto?.(target) ?? 'unhealthy'
    } catch (error) {
      failed(error)
      return 'unhealthy'
    }
  }

const shareOf =
  (source: HealthSource, failed: Failed) =>
  (target: Target): number => {
    try {
      const share = source.share?.(target) ?? 1
      if (share >= 0) return share
      failed(new RangeError(`\`share\` returned ${share}; it has to be from 0 to 1`))
    } catch (error) {
      failed(error)
    }
    return 1
  }

const trustsOf =
  (source: HealthSource, failed: Failed) =>
  (target: Target): boolean => {
    try {
      return source.trusts?.(target) !== false
    } catch (error) {
      failed(error)
      return true
    }
  }

const admitOf =
  (source: HealthSource, failed: Failed) =>
  (target: Target, request: LeaseRequest): boolean => {
    try {
      return source.admit?.(target, request) !== false
    } catch (error) {
      failed(error)
      return true
    }
  }

const outcomesOf =
  (source: HealthSource, failed: Failed) =>
  (target: Target, outcome: Outcome, startedAt: number): void => {
    try {
      source.onOutcome?.(target, outcome, startedAt)
    } catch (error) {
      failed(error)
    }
  }
