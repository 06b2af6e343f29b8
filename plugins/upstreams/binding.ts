import type { Target } from './contract.ts'

/** The session that a request belongs to: its target keeps something that no other one has. */
export interface Binding {
  /**
   * Gets the request as long as it can be used and has room, whatever its share and whatever a policy says.
   * Undefined if it was removed.
   */
  readonly target: Target | undefined
  /** The same for all requests of the session: while its target is away, they go to the same other one. */
  readonly key: string
}
