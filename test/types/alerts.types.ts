/** What the editor says of alert rules before a file is saved. Nothing here runs. */
import { defineGateway } from '../../plugins/config/define.ts'

const config = { upstreams: { users: { targets: [{ origin: 'http://a' }] } }, routes: [] } as const

defineGateway({
  ...config,
  alerts: {
    rules: [
      { name: 'a', upstream: 'users', targets: { eligibleBelow: '50%' }, for: '1m' },
      { name: 'b', panic: true, action: { setSplit: { route: 'x', shares: { users: 1 } } } },
    ],
    notify: [
      { webhook: process.env.ALERT_WEBHOOK },
      { webhook: { url: 'http://a', headers: { authorization: 'b' } } },
      { slack: { url: 'http://a', headers: { authorization: 'b' } } },
      { alertmanager: { url: ['http://a', 'http://b'], headers: { authorization: 'b' } } },
      { alertmanager: 'http://a' },
      { alertmanager: (process.env.ALERTMANAGERS ?? '').split(',') },
      { call: async ({ status, alerts }) => console.log(status === 'firing', alerts[0]?.labels['team']) },
    ],
  },
})

// @ts-expect-error an upstream that there is not
defineGateway({ ...config, alerts: { rules: [{ name: 'a', upstream: 'user', panic: true }] } })
const drain = { upstream: 'user', target: 'http://a' } as const
// @ts-expect-error an action on an upstream that there is not
defineGateway({ ...config, alerts: { rules: [{ name: 'a', panic: true, action: { drain } }] } })
const setSplit = { route: 'x', shares: { user: 1 } } as const
// @ts-expect-error a share of an upstream that there is not
defineGateway({ ...config, alerts: { rules: [{ name: 'a', panic: true, action: { setSplit } }] } })
// @ts-expect-error it is there or it is not
defineGateway({ ...config, alerts: { rules: [{ name: 'a', panic: false }] } })
// @ts-expect-error a share in per cent says so
defineGateway({ ...config, alerts: { rules: [{ name: 'a', targets: { eligibleBelow: '50' } }] } })
