/** The parts of a page that a command writes: between `<!-- simulated: name -->` and `<!-- end -->`. */
const BLOCK = /(<!-- simulated: (\S+) -->\n)[\s\S]*?(<!-- end -->)/g

/** Names of the parts that the page has. */
export function partsOf(page: string): string[] {
  return [...page.matchAll(BLOCK)].map((match) => match[2]!)
}

/** @param parts text by name; a part that is not in it stays as it is */
export function fillPage(page: string, parts: ReadonlyMap<string, string>): string {
  return page.replaceAll(BLOCK, (block, begin: string, name: string, end: string) => {
    const text = parts.get(name)
    return text === undefined ? block : `${begin}\n${text}\n\n${end}`
  })
}
