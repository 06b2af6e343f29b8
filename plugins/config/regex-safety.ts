/**
 * Regexes in a config run on what strangers send: one that backtracks catastrophically lets a single
 * request stop the gateway. They are analysed at the start, by `recheck` (automata first, then fuzzing).
 */
import type { checkSync, Diagnostics } from 'recheck'

/** A regex of the config, and how it is used. */
export interface CheckedRegex {
  readonly source: string
  readonly flags: string
  /** True for a path, which must match from end to end; false (default) where the regex is searched for. */
  readonly whole?: boolean
}

/** How long one analysis may take, in ms. One that takes longer is not refused: it found no attack. */
const TIMEOUT_MS = 1000

/**
 * For each regex, in order: a sentence that says what is wrong and what to do, or undefined if nothing
 * is known against it. Loads the analyser only if there is a regex at all. Blocks for up to two seconds each.
 */
export async function regexProblems(list: readonly CheckedRegex[]): Promise<(string | undefined)[]> {
  if (list.length === 0) return []
  const { checkSync } = await import('recheck')
  return list.map((regex) => regexProblem(regex, checkSync))
}

function regexProblem(regex: CheckedRegex, check: typeof checkSync): string | undefined {
  const { source, flags } = regex
  try {
    new RegExp(source, flags)
  } catch (error) {
    return `the regex /${source}/${flags} cannot be compiled: ${(error as Error).message}`
  }
  const text = regex.whole ? `^(?:${source})$` : source
  // Paths are looked at without regard to case as well, for what an upstream may take them for.
  const uses = regex.whole && !flags.includes('i') ? [flags, `${flags}i`] : [flags]
  for (const used of uses) {
    const result = check(text, analysedFlags(used), { timeout: TIMEOUT_MS })
    if (result.status !== 'vulnerable') continue
    return (
      `the regex /${source}/${used} backtracks catastrophically (${result.complexity.summary}) ` +
      `on an attack such as ${shape(result)}; ` +
      'let no two neighbouring repetitions match the same text: write [^/]+ for a segment instead of .*, ' +
      'and no repetition within a repetition'
    )
  }
  return undefined
}

/**
 * Paths and header values hold no line break, so that `.` means the same with and without `s`; with it
 * the analyser does not refuse `/a/.*` patterns for line breaks that cannot come. It does not know `v`;
 * `g`, `y` and `d` change nothing here.
 */
function analysedFlags(flags: string): string {
  const kept = flags.replace(/[gyds]/g, '').replace('v', 'u')
  return `${kept}s`
}

function shape(result: Extract<Diagnostics, { status: 'vulnerable' }>): string {
  const { pattern } = result.attack
  return pattern.length > 120 ? `${pattern.slice(0, 120)}...` : pattern
}
