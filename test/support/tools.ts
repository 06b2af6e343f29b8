import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

function found(program: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/**
 * Options of a test that runs these programs: it is skipped where one is missing, and says so. In CI nothing is
 * skipped: there it fails.
 */
export function needs(...programs: readonly string[]): { skip: string | false } {
  if (process.env['CI'] === 'true') return { skip: false }
  const missing = programs.filter((program) => !found(program))
  return { skip: missing.length === 0 ? false : `not on this machine: ${missing.join(', ')}` }
}
