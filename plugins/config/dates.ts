import { custom } from './kit.ts'

const ISO = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(?:Z|[+-]\d{2}:\d{2}))?$/

/** Milliseconds since 1970 of an ISO 8601 date, read as UTC, or of a date and time with its zone. NaN for others. */
export function dateMs(text: string): number {
  const ms = ISO.test(text) ? Date.parse(text) : Number.NaN
  // Date.parse makes the 30th of February one of March.
  const day = text.slice(0, 10)
  return new Date(Date.parse(day)).toJSON()?.startsWith(day) === true ? ms : Number.NaN
}

/** A date of the config: `'2027-01-31'` (the beginning of that day, UTC) or `'2027-01-31T18:00:00Z'`. */
export const date = custom<string>(
  (value) =>
    typeof value === 'string' && !Number.isNaN(dateMs(value)) ? undefined : `"${value}" is no date`,
  { remedy: 'write "2027-01-31" or "2027-01-31T18:00:00Z"' },
)
