/** "Did you mean": the nearest of the names there are. */

/** So many names are told where none is near: with hundreds the message would bury the others. */
const SHOWN = 12

function distance(a: string, b: string): number {
  // Optimal string alignment (Damerau-Levenshtein without repeated edits): swaps are the commonest slip.
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)]
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1
      const above = rows[i - 1] as number[]
      let best = Math.min(
        (above[j] as number) + 1,
        (row[j - 1] as number) + 1,
        (above[j - 1] as number) + cost,
      )
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        best = Math.min(best, (rows[i - 2]?.[j - 2] as number) + 1)
      }
      row.push(best)
    }
    rows.push(row)
  }
  return rows[a.length]?.[b.length] as number
}

/** The name that `wrong` was most likely meant to be, if one is near enough: a third of its letters, and not all. */
export function nearest(wrong: string, names: Iterable<string>): string | undefined {
  let best: string | undefined
  let bestDistance = Math.max(1, Math.floor(wrong.length / 3)) + 1
  for (const name of names) {
    const d = distance(wrong.toLowerCase(), name.toLowerCase())
    if (d < bestDistance && d < wrong.length) {
      best = name
      bestDistance = d
    }
  }
  return best
}

/** The end of a message about an unknown name: the nearest one, or else all there are. */
export function suggestion(wrong: string, names: Iterable<string>): string {
  const known = [...names]
  const near = nearest(wrong, known)
  if (near !== undefined) return `did you mean "${near}"?`
  if (known.length === 0) return 'there are none'
  const shown = known.slice(0, SHOWN).map((name) => `"${name}"`)
  const more = known.length > SHOWN ? ` and ${known.length - SHOWN} more` : ''
  return `there is ${shown.join(', ')}${more}`
}
