/**
 * Splits where a separator stands, but for those within JSON: between brackets, braces or quotes. What stands between
 * two separators is trimmed, and left out where it is nothing.
 */
export function splitOutsideJson(text: string, separators: string): string[] {
  const parts: string[] = []
  let part = ''
  let depth = 0
  let quoted = false
  for (let i = 0; i < text.length; i++) {
    const character = text[i] as string
    if (quoted && character === '\\') part += text[i++]
    else if (character === '"') quoted = !quoted
    else if (!quoted && '[{'.includes(character)) depth++
    else if (!quoted && ']}'.includes(character)) depth--
    else if (!quoted && depth <= 0 && separators.includes(character)) {
      parts.push(part)
      part = ''
      continue
    }
    part += text[i] ?? ''
  }
  return [...parts, part].map((one) => one.trim()).filter((one) => one !== '')
}
