/** Subject alternative names, by kind. */
export interface AlternativeNames {
  /** Lower case. */
  readonly dns: ReadonlySet<string>
  readonly uri: ReadonlySet<string>
  readonly email: ReadonlySet<string>
}

/**
 * Reads the text that Node makes of them: `DNS:a.example, URI:"spiffe:\\u002f..."`. A name that could be taken for
 * several is quoted there as JSON has it; one that is not quoted so is left out.
 */
export function parseAlternativeNames(text: string | undefined): AlternativeNames {
  const dns = new Set<string>()
  const uri = new Set<string>()
  const email = new Set<string>()
  const pattern = /(?:^|, )([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^",]*)(?=, |$)/gy
  for (const [, kind, written = ''] of (text ?? '').matchAll(pattern)) {
    const name = written.startsWith('"') ? unquoted(written) : written
    if (name === undefined || name === '') continue
    if (kind === 'DNS') dns.add(name.toLowerCase())
    else if (kind === 'URI') uri.add(name)
    else if (kind === 'email') email.add(name)
  }
  return { dns, uri, email }
}

function unquoted(text: string): string | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'string' ? value : undefined
  } catch {
    return undefined
  }
}
