import type { Refusal } from './authenticator.ts'

/** The challenge of those that take bearer tokens (RFC 6750, 3). */
export function bearerChallenge(realm: string): (refusal?: Refusal) => string {
  const bare = `Bearer realm="${realm}"`
  return (refusal) =>
    refusal === undefined ? bare : `${bare}, error="${refusal.error}", error_description="${refusal.told}"`
}

function scheme(challenge: string): string {
  const end = challenge.indexOf(' ')
  return (end === -1 ? challenge : challenge.slice(0, end)).toLowerCase()
}

export interface Challenge {
  readonly text: string
  /** It tells of a credential that was refused. */
  readonly refusing: boolean
}

/**
 * One value for `WWW-Authenticate` (RFC 9110, 11.6.1). Of two kinds with the same scheme the one that tells of a
 * refusal speaks for both, else the first: a client cannot tell two Bearer challenges apart.
 */
export function joinChallenges(challenges: readonly Challenge[]): string {
  const byScheme = new Map<string, Challenge>()
  for (const challenge of challenges) {
    const name = scheme(challenge.text)
    const earlier = byScheme.get(name)
    if (earlier === undefined || (challenge.refusing && !earlier.refusing)) byScheme.set(name, challenge)
  }
  return [...byScheme.values()].map(({ text }) => text).join(', ')
}
