export type Yaml = string | number | readonly Yaml[] | { readonly [key: string]: Yaml }

/** Text that YAML reads as nothing but itself. */
const PLAIN = /^[A-Za-z_][A-Za-z0-9_]*$/
const WORDS = /^(true|false|yes|no|on|off|null|y|n)$/i

function scalar(value: string | number): string {
  if (typeof value === 'number') return String(value)
  if (PLAIN.test(value) && !WORDS.test(value)) return value
  // Between single quotes only these mean something; what they cannot hold, JSON can (YAML 1.2, 1.3).
  return /^[\x20-\x7e]*$/.test(value) ? `'${value.replaceAll("'", "''")}'` : JSON.stringify(value)
}

/** Lines of text as they are, if that is how they come back. */
function isBlock(value: Yaml): value is string {
  return (
    typeof value === 'string' &&
    value.includes('\n') &&
    /^\S/.test(value) &&
    !/[^\n\x20-\x7e]|\n$/.test(value)
  )
}

function lines(value: Yaml): string[] {
  if (typeof value === 'string' || typeof value === 'number') return [scalar(value)]
  if (Array.isArray(value)) {
    return value.flatMap((item: Yaml) => {
      const [first = '', ...rest] = lines(item)
      return [`- ${first}`, ...rest.map((line) => `  ${line}`)]
    })
  }
  const entries = Object.entries(value as { readonly [key: string]: Yaml })
  return entries.flatMap(([key, inner]) => {
    const name = scalar(key)
    if (isBlock(inner)) return [`${name}: |-`, ...inner.split('\n').map((line) => `  ${line}`)]
    if (typeof inner !== 'object') return [`${name}: ${scalar(inner)}`]
    if (Object.keys(inner).length === 0) return [`${name}: ${Array.isArray(inner) ? '[]' : '{}'}`]
    return [`${name}:`, ...lines(inner).map((line) => `  ${line}`)]
  })
}

/** A value as YAML that people can read. */
export function yaml(value: Yaml): string {
  return `${lines(value).join('\n')}\n`
}
