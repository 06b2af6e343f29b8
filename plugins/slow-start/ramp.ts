export interface Ramp {
  /** Milliseconds until a target has its whole share. */
  readonly window: number
  readonly aggression: number
  /** The share it begins with, in (0, 1]. */
  readonly min: number
}

/**
 * The part of its usual traffic that a target gets so many milliseconds after it came: Envoy's slow start,
 * max(min, (elapsed / window)^(1 / aggression)).
 */
export function shareAfter(elapsed: number, { window, aggression, min }: Ramp): number {
  if (elapsed >= window) return 1
  return Math.max(min, Math.max(0, elapsed / window) ** (1 / aggression))
}
