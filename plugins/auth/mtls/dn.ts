/** Distinguished names (RFC 4514), compared by what they say and not by how they are written. */

/** Names and numbers of the attribute types that certificates carry, by the one name that is compared. */
const TYPES: Readonly<Record<string, string>> = {
  commonname: 'cn',
  '2.5.4.3': 'cn',
  surname: 'sn',
  '2.5.4.4': 'sn',
  '2.5.4.5': 'serialnumber',
  countryname: 'c',
  '2.5.4.6': 'c',
  localityname: 'l',
  '2.5.4.7': 'l',
  stateorprovincename: 'st',
  '2.5.4.8': 'st',
  streetaddress: 'street',
  '2.5.4.9': 'street',
  organizationname: 'o',
  '2.5.4.10': 'o',
  organizationalunitname: 'ou',
  '2.5.4.11': 'ou',
  '2.5.4.12': 'title',
  givenname: 'gn',
  '2.5.4.42': 'gn',
  userid: 'uid',
  '0.9.2342.19200300.100.1.1': 'uid',
  domaincomponent: 'dc',
  '0.9.2342.19200300.100.1.25': 'dc',
  email: 'emailaddress',
  '1.2.840.113549.1.9.1': 'emailaddress',
}

const TYPE = /^(?:[A-Za-z][A-Za-z0-9-]*|\d+(?:\.\d+)+)$/

type Attribute = readonly [type: string, value: string]

function typeName(text: string): string | undefined {
  const name = text.trim().toLowerCase()
  if (!TYPE.test(name)) return undefined
  return Object.hasOwn(TYPES, name) ? TYPES[name] : name
}

/** Splits at separators that no backslash stands before. */
function splitAt(text: string, separators: string): string[] {
  const parts: string[] = []
  let part = ''
  for (let i = 0; i < text.length; i++) {
    const char = text[i] as string
    if (char === '\\' && i + 1 < text.length) part += char + text[++i]
    else if (separators.includes(char)) {
      parts.push(part)
      part = ''
    } else part += char
  }
  parts.push(part)
  return parts
}

/** Spaces around a value mean nothing, unless they are escaped. */
function trimmed(text: string): string {
  const start = text.replace(/^ +/, '')
  const end = start.replace(/ +$/, '')
  return /(?:^|[^\\])(?:\\\\)*\\$/.test(end) && end.length < start.length ? `${end} ` : end
}

/** RFC 4514, 2.4: `\,` and the like, or `\C3\A9` for bytes of UTF-8. Undefined if it cannot be read. */
function unescaped(text: string): string | undefined {
  let uri = ''
  for (let i = 0; i < text.length; i++) {
    const char = text[i] as string
    if (char !== '\\') {
      uri += encodeChar(text, i)
      if (isPair(text, i)) i++
      continue
    }
    const hex = text.slice(i + 1, i + 3)
    const next = text[i + 1]
    if (/^[0-9A-Fa-f]{2}$/.test(hex)) {
      uri += `%${hex}`
      i += 2
    } else if (next !== undefined && ' "#+,;<=>\\/'.includes(next)) {
      uri += encodeURIComponent(next)
      i++
    } else return undefined
  }
  try {
    return decodeURIComponent(uri)
  } catch {
    return undefined
  }
}

function isPair(text: string, at: number): boolean {
  return (text.codePointAt(at) ?? 0) > 0xffff
}

function encodeChar(text: string, at: number): string {
  const char = String.fromCodePoint(text.codePointAt(at) ?? 0)
  // A half of a pair has no bytes: what it stands in is refused below.
  return /^[\ud800-\udfff]$/.test(char) ? '%' : encodeURIComponent(char)
}

function attributesOf(rdns: readonly string[]): Attribute[] | undefined {
  const all: Attribute[] = []
  for (const rdn of rdns) {
    for (const attribute of splitAt(rdn, '+')) {
      const equals = attribute.indexOf('=')
      const type = typeName(attribute.slice(0, Math.max(equals, 0)))
      const value = trimmed(attribute.slice(equals + 1))
      // A value in hexadecimal is one that its writer could not read; neither can we.
      const read = value.startsWith('#') ? undefined : unescaped(value)
      if (type === undefined || read === undefined || read === '') return undefined
      all.push([type, read])
    }
  }
  return all
}

/**
 * Equal for equal names. The order in which different types stand says nothing; that of several of one type (`DC`)
 * does.
 */
function canonical(attributes: readonly Attribute[]): string {
  const ordered = attributes.toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  return JSON.stringify(ordered)
}

/** What a name of the config is compared by; undefined if it is none. It begins with the most special part. */
export function parseDn(text: string): string | undefined {
  const attributes = attributesOf(splitAt(text, ',').toReversed())
  return attributes === undefined ? undefined : canonical(attributes)
}

/** The same for a name as `X509Certificate` has it: a line for each part, the most general one first. */
export function parseCertificateName(lines: string): string | undefined {
  const attributes = attributesOf(lines.split('\n'))
  return attributes === undefined ? undefined : canonical(attributes)
}
