/**
 * What one check came to. `why` is for operators and may be technical. `ours`: it could not be made, since this machine
 * has run short of something; it says nothing of the target. Default false.
 */
export type CheckResult =
  | { readonly ok: true }
  | { readonly ok: false; readonly why: string; readonly ours?: boolean }

export interface Thresholds {
  /** Passed checks in a row that bring an unhealthy target back. */
  readonly rise: number
  /** Failed checks in a row that make a healthy target unhealthy. */
  readonly fall: number
}

/** What the checks of one target have shown so far. */
export interface CheckState {
  readonly status: 'unchecked' | 'healthy' | 'unhealthy'
  /** Passed checks in a row, up to the last one. */
  readonly passes: number
  /** Failed checks in a row, up to the last one. */
  readonly failures: number
}

export const UNCHECKED: CheckState = { status: 'unchecked', passes: 0, failures: 0 }

/**
 * The state after one more check. HAProxy's `rise` and `fall` (2 and 3 there too), and Envoy's start: the first
 * check decides alone, either way, so that a gateway that starts is of use soon.
 */
export function afterCheck(state: CheckState, ok: boolean, { rise, fall }: Thresholds): CheckState {
  const { status } = state
  const passes = ok ? state.passes + 1 : 0
  const failures = ok ? 0 : state.failures + 1
  if (ok && status !== 'healthy' && (status === 'unchecked' || passes >= rise))
    return { status: 'healthy', passes, failures }
  if (!ok && status !== 'unhealthy' && (status === 'unchecked' || failures >= fall))
    return { status: 'unhealthy', passes, failures }
  return { status, passes, failures }
}

/** Why the state has just turned to what it is, for operators: "3 checks failed: status 500". */
export function reasonOf({ passes, failures }: CheckState, result: CheckResult): string {
  const count = result.ok ? passes : failures
  const checks = `${count} ${count === 1 ? 'check' : 'checks'}`
  return result.ok ? `${checks} passed` : `${checks} failed: ${result.why}`
}
