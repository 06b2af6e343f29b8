/** What the live view knows, and what keys make of it. */
import { type Look, PANES, type Pane, SORTS, type Sort } from './look.ts'

export interface View {
  readonly pane: Pane
  readonly sort: Sort
  readonly filter: string
  /** The filter is being written. */
  readonly typing: boolean
  readonly paused: boolean
  /** Number of the first row that is shown. */
  readonly first: number
}

export interface State {
  readonly address: string
  readonly view: View
  readonly look: Look | undefined
  /** The one before it, to tell rates. */
  readonly before: Look | undefined
  readonly unreachable: { readonly since: Date; readonly why: string } | undefined
}

export const FIRST_VIEW: View = {
  pane: 'routes',
  sort: 'rate',
  filter: '',
  typing: false,
  paused: false,
  first: 0,
}

/** A key by its name, or the character that was typed. */
export type Key = string

const NAMES: Readonly<Record<string, Key>> = {
  '\x1b[A': 'up',
  '\x1b[B': 'down',
  '\x1b[5~': 'page-up',
  '\x1b[6~': 'page-down',
  '\x1b[H': 'home',
  '\x1b[1~': 'home',
  '\x1b[F': 'end',
  '\x1b[4~': 'end',
  '\x1b[Z': 'back-tab',
  '\x1b': 'escape',
  '\t': 'tab',
  '\r': 'enter',
  '\n': 'enter',
  '\x7f': 'backspace',
  '\b': 'backspace',
  '\x03': 'interrupt',
  '\x1a': 'suspend',
}
/** A sequence (ECMA-48, 5.4), a key of the application mode, or a character. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what terminals send
const KEYS = /\x1b\[[0-?]*[ -/]*[@-~]|\x1bO[A-Z]|./gsu

/** What was typed, key by key. Sequences that mean nothing here are left out. */
export function keysOf(typed: string): Key[] {
  return (typed.match(KEYS) ?? []).flatMap((text) => {
    const name = NAMES[text.startsWith('\x1bO') ? `\x1b[${text[2]}` : text]
    if (name !== undefined) return name
    return /^\p{C}/u.test(text) ? [] : text
  })
}

const LONGEST_FILTER = 100
const SORT_KEYS: Readonly<Record<Key, Sort>> = { r: 'rate', e: 'errors', p: 'p99', n: 'name' }

function typed(view: View, key: Key): View {
  if (key === 'enter') return { ...view, typing: false }
  if (key === 'escape') return { ...view, typing: false, filter: '', first: 0 }
  const characters = [...view.filter]
  if (key === 'backspace') return { ...view, filter: characters.slice(0, -1).join(''), first: 0 }
  // Names of keys are longer than a character.
  if ([...key].length > 1 || characters.length >= LONGEST_FILTER) return view
  return { ...view, filter: view.filter + key, first: 0 }
}

/**
 * What a key changes.
 * @param found how many rows there are
 * @param visible how many of them are seen at once
 */
export function pressed(view: View, key: Key, found: number, visible: number): View {
  if (view.typing) return typed(view, key)
  const last = Math.max(0, found - visible)
  const to = (first: number): View => ({ ...view, first: Math.max(0, Math.min(last, first)) })
  const pane = (by: number): View => ({
    ...view,
    pane: PANES[(PANES.indexOf(view.pane) + by + PANES.length) % PANES.length] as Pane,
    first: 0,
  })
  switch (key) {
    case 'tab':
      return pane(1)
    case 'back-tab':
      return pane(-1)
    case '1':
    case '2':
    case '3':
      return { ...view, pane: PANES[Number(key) - 1] as Pane, first: 0 }
    case '/':
      return { ...view, typing: true }
    case 'escape':
      return { ...view, filter: '', first: 0 }
    case ' ':
      return { ...view, paused: !view.paused }
    case 's':
      return { ...view, sort: SORTS[(SORTS.indexOf(view.sort) + 1) % SORTS.length] as Sort, first: 0 }
    case 'up':
    case 'k':
      return to(view.first - 1)
    case 'down':
    case 'j':
      return to(view.first + 1)
    case 'page-up':
      return to(view.first - visible)
    case 'page-down':
      return to(view.first + visible)
    case 'home':
    case 'g':
      return to(0)
    case 'end':
    case 'G':
      return to(last)
    default: {
      const sort = SORT_KEYS[key]
      return sort === undefined ? view : { ...view, sort, first: 0 }
    }
  }
}
