import { duration, integer, switchable, withDefault } from '../config/kit.ts'

/**
 * Requests that cannot be repeated (a POST, say) go only to targets that were last seen to work, as long as there is
 * one. `false` turns it off.
 */
const proofOfLife = withDefault(
  switchable({
    /** Good answers in a row that prove a target again after a bad sign. Default 3. */
    answers: withDefault(integer({ minimum: 1, maximum: 1000 }), 3),
    /**
     * Without a further bad sign, doubt is dropped after this, for one request at a time: there may be no other requests.
     * Twice as long each time that it was dropped wrongly, up to five minutes. Default 10s.
     */
    lapse: withDefault(duration({ minimum: 1, maximum: '1h' }), '10s'),
    /** Silence for less than this is never taken for a bad sign, however quick the target usually is. Default 10ms. */
    atLeast: withDefault(duration({ maximum: '1m' }), '10ms'),
  }),
  {},
)

export const schema = { upstream: { proofOfLife } }

declare module '../config/define.ts' {
  interface UpstreamSchema {
    proofOfLife: typeof proofOfLife
  }
}
