import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ROOT } from '../support/process.ts'

export interface Snippet {
  /** Where in the house it says it belongs. */
  readonly path: string
  readonly code: string
}

/** The TypeScript blocks of a page; each says in its first line which file it is. */
export async function snippetsOf(page: string): Promise<Snippet[]> {
  const text = await readFile(join(ROOT, page), 'utf8')
  return [...text.matchAll(/^```ts\n\/\/ (\S+)\n([\s\S]*?)^```$/gm)].map((match) => ({
    path: match[1] as string,
    code: match[2] as string,
  }))
}
