import { componentOf, ReadOnce, type SignedRequest } from './components.ts'
import { serializeInnerList } from './serialize.ts'
import type { InnerList } from './structured-fields.ts'

/** Each costs something, and is looked at before it is known who asks for it. */
const MOST = 64

export interface SignatureBase {
  /** What is signed (RFC 9421, 2.5). */
  readonly text: string
  /** Names of the components that are covered as a whole: those with `key` or `name` are not. */
  readonly covered: ReadonlySet<string>
  /** The algorithms of Content-Digest whose values are covered. */
  readonly digests: ReadonlySet<string> | 'all' | 'none'
}

/** The signature base of a request, or why there is none. */
export function signatureBase(
  input: InnerList,
  request: SignedRequest,
): SignatureBase | { readonly why: string } {
  if (input.items.length > MOST) return { why: `covers more than ${MOST} components` }
  const covered = new Set<string>()
  const seen = new Set<string>()
  let digests: Set<string> | 'all' | 'none' = 'none'
  const once = new ReadOnce(request)
  let text = ''
  for (const item of input.items) {
    const component = componentOf(item, request, once)
    if ('why' in component) return component
    const { id, value } = component
    if (seen.has(id)) return { why: `covers ${id} twice` }
    seen.add(id)
    // It would be a line of its own, and say something that was never signed as such.
    if (value.includes('\n')) return { why: `covers ${id}, whose value has more than one line` }
    const name = item.item.value as string
    const key = item.parameters.get('key')
    if (key === undefined && !item.parameters.has('name')) covered.add(name)
    if (name === 'content-digest' && digests !== 'all') {
      if (key === undefined) digests = 'all'
      else if (digests === 'none') digests = new Set([key.value as string])
      else digests.add(key.value as string)
    }
    text += `${id}: ${value}\n`
  }
  text += `"@signature-params": ${serializeInnerList(input)}`
  return { text, covered, digests }
}
