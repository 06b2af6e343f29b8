/** Query parameters whose values are secrets, by the names that people give them. */
const SECRET =
  /([?&](?:[^=&]*(?:token|secret|password|passwd|api[_-]?key|apikey|signature|credential)[^=&]*|code|sig|key|auth|jwt)=)[^&]*/gi

/** A url for the log: what looks like a secret in its query is taken out. */
export function redactedUrl(url: string): string {
  return url.includes('?') ? url.replace(SECRET, '$1[redacted]') : url
}
