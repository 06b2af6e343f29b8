import type { Family, Format } from './page.ts'
import { Page } from './page.ts'

/** Characters of one slice: what is held of a page at a time, and written without others getting their turn. */
const SLICE = 32 * 1024

/** The whole page, slice by slice. What a slice costs is spent when it is asked for. */
export function* render(families: Iterable<Family>, format: Format): Generator<string> {
  const page = new Page(format)
  for (const family of families) {
    page.begin(family)
    for (const _ of family.write(page) ?? []) if (page.length >= SLICE) yield page.take()
    if (page.length >= SLICE) yield page.take()
  }
  page.end()
  yield page.take()
}
