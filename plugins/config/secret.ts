import { custom } from './kit.ts'

/**
 * Text that nobody is to see, from the environment. What is refused is not shown: it may well be the secret itself, and
 * messages are logged.
 */
export const secret = custom<string>(
  (value) => (typeof value === 'string' && value !== '' ? undefined : 'is not there or is no text'),
  { remedy: 'set the environment variable that it is to come from' },
)
