const FORM = /^rediss?:\/\/(?:[^/@]*@)?(?:\[[\da-f:.]+\]|[\w.-]+)(?::\d{1,5})?(?:\/\d{0,5})?$/i

/** Why it is no address of a Redis. Says nothing of the value: there is a password in it. */
export function refuseUrl(value: unknown): string | undefined {
  if (value === undefined || value === '') return 'is empty; is the environment variable set?'
  return typeof value === 'string' && FORM.test(value) ? undefined : 'is no address of a Redis'
}
