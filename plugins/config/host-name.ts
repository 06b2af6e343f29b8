const NEEDS_WORK = /[A-Z:]|\.$/

/** Lower-case, without port (`[::1]:80` becomes `[::1]`) and without the root's trailing dot. */
export function normaliseHost(host: string): string {
  if (!NEEDS_WORK.test(host)) return host
  const end = host.startsWith('[') ? host.indexOf(']') + 1 : host.indexOf(':')
  const name = (end > 0 ? host.slice(0, end) : host).toLowerCase()
  return name.endsWith('.') ? name.slice(0, -1) : name
}
