/** Text for terminals: what is safe to show, how wide it is, and numbers in few characters. */

/** Control characters, formatting that turns text around, halves of pairs: none of it reaches a terminal. */
const UNSAFE = /\p{C}|\p{Zl}|\p{Zp}/gu
const PLAIN = /^[\x20-\x7e]*$/
const MARK = /^\p{M}$/u
/** East Asian Wide and Fullwidth (Unicode Standard Annex 11), and what is drawn as a picture. */
const WIDE =
  /^(?:[\u1100-\u115f\u2e80-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{20000}-\u{3fffd}]|\p{Emoji_Presentation})$/u

/** Names come from configs and from whoever may change targets; a terminal does what the bytes tell it. */
export function safe(text: string): string {
  return PLAIN.test(text) ? text : text.replace(UNSAFE, '?')
}

function widthOf(character: string): number {
  if (MARK.test(character)) return 0
  return WIDE.test(character) ? 2 : 1
}

/** Columns of a terminal. */
export function width(text: string): number {
  if (PLAIN.test(text)) return text.length
  let columns = 0
  for (const character of text) columns += widthOf(character)
  return columns
}

/** As much as fits into so many columns; what was cut ends with `~`. */
export function cut(text: string, columns: number): string {
  if (width(text) <= columns) return text
  let kept = ''
  let used = 1
  for (const character of text) {
    used += widthOf(character)
    if (used > columns) break
    kept += character
  }
  return columns < 1 ? '' : `${kept}~`
}

/** Exactly so many columns. */
export function fit(text: string, columns: number, align: 'left' | 'right' = 'left'): string {
  const kept = cut(text, columns)
  const space = ' '.repeat(Math.max(0, columns - width(kept)))
  return align === 'left' ? kept + space : space + kept
}

const NONE = '-'

/** `3.4`, `412`, `12.3k`, `1.2M`. What is above 0 is not shown as 0. */
export function amount(value: number | null | undefined): string {
  if (value === null || value === undefined) return NONE
  if (value > 0 && value < 0.05) return '<0.1'
  if (value < 9.95) return Number.isInteger(value) ? String(value) : value.toFixed(1)
  if (value < 9999.5) return value.toFixed(0)
  return value < 999_950 ? `${(value / 1000).toFixed(1)}k` : `${(value / 1e6).toFixed(1)}M`
}

/** A share between 0 and 1 in per cent. What is above 0 is not shown as 0. */
export function percent(share: number | null | undefined): string {
  if (share === null || share === undefined) return NONE
  if (share === 0) return '0%'
  if (share < 0.0005) return '<0.1%'
  return `${(share * 100).toFixed(share < 0.0995 ? 1 : 0)}%`
}

/** `0.4ms`, `21ms`, `1.25s`, `30s` */
export function latency(milliseconds: number | null | undefined): string {
  if (milliseconds === null || milliseconds === undefined) return NONE
  if (milliseconds < 9.95) return `${milliseconds.toFixed(1)}ms`
  if (milliseconds < 999.5) return `${milliseconds.toFixed(0)}ms`
  return `${(milliseconds / 1000).toFixed(milliseconds < 9995 ? 2 : 0)}s`
}

export function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 1024 ** 2)} MiB`
}

/** `42s`, `3m 12s`, `5h 3m`, `12d 5h` */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds))
  const [days, hours, minutes] = [
    Math.floor(whole / 86_400),
    Math.floor(whole / 3600),
    Math.floor(whole / 60),
  ]
  if (days > 0) return `${days}d ${hours % 24}h`
  if (hours > 0) return `${hours}h ${minutes % 60}m`
  return minutes > 0 ? `${minutes}m ${whole % 60}s` : `${whole}s`
}
