/** The header `tracestate` of W3C Trace Context, level 2. */
import { withoutBlanks } from './blanks.ts'

/** Members of a list. */
const MOST = 32

// Level 2 lets a key hold any number of @; level 1 had one, between tenant and system.
const MEMBER =
  /^[a-z0-9][a-z0-9_\-*/@]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/

/**
 * The list as it is passed on: its members in their order, without blanks around them.
 * @param value several headers joined by commas, in their order
 * @returns undefined if there is no member, or if one is not valid, comes twice or is one too many: then none is kept
 */
export function parseTracestate(value: string): string | undefined {
  const members: string[] = []
  const keys = new Set<string>()
  for (const part of value.split(',')) {
    const member = withoutBlanks(part)
    if (member === '') continue
    const key = member.slice(0, member.indexOf('='))
    if (!MEMBER.test(member) || keys.has(key) || members.length === MOST) return undefined
    keys.add(key)
    members.push(member)
  }
  return members.length === 0 ? undefined : members.join(',')
}
