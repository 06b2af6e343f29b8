/**
 * The hosts of a certificate, in lower case. Common names are left aside, as clients have done since RFC 9525.
 * @param alternativeNames as `X509Certificate` of node:crypto has them: `DNS:a.example, IP Address:10.0.0.1`
 */
export function namesOf(alternativeNames: string | undefined): string[] {
  // A name that could be taken for several is in quotes, and is no host.
  const plain = (alternativeNames ?? '').replace(/"(?:[^"\\]|\\.)*"/g, '')
  const names = plain.split(', ').flatMap((name) => /^DNS:(.+)$/.exec(name)?.[1]?.toLowerCase() ?? [])
  return [...new Set(names)]
}

/** Finds what belongs to the name that a client asks for (RFC 9525, 6.3). */
export class ByName<T> {
  readonly #byName: ReadonlyMap<string, T>

  /** @param entries with names in lower case; `*` as the whole left-most label is any one label */
  constructor(entries: readonly (readonly [names: readonly string[], what: T])[]) {
    this.#byName = new Map(entries.flatMap(([names, what]) => names.map((name) => [name, what] as const)))
  }

  /** A name that is written out is before one with a wildcard; undefined where there is neither. */
  find(asked: string): T | undefined {
    const name = asked.toLowerCase().replace(/\.$/, '')
    const exact = this.#byName.get(name)
    if (exact !== undefined) return exact
    const dot = name.indexOf('.')
    return dot > 0 ? this.#byName.get(`*${name.slice(dot)}`) : undefined
  }
}
