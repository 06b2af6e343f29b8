/** Deeper than any token's claims have a reason to be. */
const DEEPEST = 16

interface Shape {
  readonly depth: number
  readonly members: number
}

/** Depth, and how many members the objects in `text` have, as written. True for JSON; anything for other text. */
function shapeOf(text: string): Shape {
  let depth = 0
  let deepest = 0
  let members = 0
  let inText = false
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i)
    if (inText) {
      if (char === 0x5c /* \ */) i++
      else if (char === 0x22 /* " */) inText = false
    } else if (char === 0x22) inText = true
    else if (char === 0x3a /* : */) members++
    else if (char === 0x7b /* { */ || char === 0x5b /* [ */) deepest = Math.max(deepest, ++depth)
    else if (char === 0x7d /* } */ || char === 0x5d /* ] */) depth--
  }
  return { depth: deepest, members }
}

function membersOf(value: unknown): number {
  if (value === null || typeof value !== 'object') return 0
  const inner = Object.values(value)
  return inner.reduce<number>((sum, one) => sum + membersOf(one), Array.isArray(value) ? 0 : inner.length)
}

/**
 * An object as JSON has it, or why it is none. Refuses a name that occurs twice in one object: parsers do not agree on
 * which one counts (RFC 8259, 4), and RFC 7519, 4, allows to refuse it. A name is the same however it is escaped, so
 * what was written is counted, and what came of it: where names were equal, some are missing.
 */
export function parseObject(text: string): Readonly<Record<string, unknown>> | string {
  const { depth, members } = shapeOf(text)
  if (depth > DEEPEST) return 'is nested too deeply'
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return 'is not JSON'
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return 'is no object'
  if (membersOf(value) !== members) return 'has the same name twice'
  return value as Record<string, unknown>
}
