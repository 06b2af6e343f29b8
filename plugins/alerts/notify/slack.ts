import type { Notification, NotifiedAlert } from './notification.ts'

/** An incoming webhook's message: https://api.slack.com/messaging/webhooks. */
export interface SlackMessage {
  /** What is shown where attachments are not. */
  readonly text: string
  readonly attachments: readonly {
    readonly color: string
    readonly title: string
    readonly text: string
    readonly fallback: string
    readonly title_link?: string
  }[]
}

/** Slack shows no more of a message than this well. */
const SHOWN = 20
const COLORS: Readonly<Record<string, string>> = { critical: '#b3261e', warning: '#e6a100' }
const RESOLVED = '#2e7d32'
const OTHER = '#5f6368'

/** The three characters that Slack reads as markup (https://api.slack.com/reference/surfaces/formatting#escaping). */
const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

function attachment({ status, labels, annotations, startsAt, endsAt }: NotifiedAlert, link: string) {
  const { alertname = '', severity = '', instance = '' } = labels
  const title = escaped(`${status === 'firing' ? severity : 'resolved'}: ${alertname}`)
  const { summary = '', ...others } = annotations
  const more = Object.entries(others).map(([name, value]) => `${name}: ${value}`)
  const times = `${instance}: ${status === 'firing' ? `since ${startsAt}` : `from ${startsAt} to ${endsAt}`}`
  const text = escaped([summary, ...more, times].join('\n'))
  return {
    color: status === 'resolved' ? RESOLVED : (COLORS[severity] ?? OTHER),
    title,
    text,
    fallback: `${title}: ${escaped(summary)}`,
    ...(link === '' ? {} : { title_link: link }),
  }
}

export function slackMessage({ alerts, externalURL }: Notification): SlackMessage {
  const firing = alerts.filter(({ status }) => status === 'firing').length
  const counts = [
    ...(firing > 0 ? [`${firing} firing`] : []),
    ...(firing < alerts.length ? [`${alerts.length - firing} resolved`] : []),
  ]
  const names = [...new Set(alerts.map(({ labels }) => labels['alertname'] ?? ''))].slice(0, SHOWN)
  const hidden = alerts.length > SHOWN ? ` (${alerts.length - SHOWN} more are not shown)` : ''
  return {
    text: `${counts.join(', ')}: ${escaped(names.join(', '))}${hidden}`,
    attachments: alerts.slice(0, SHOWN).map((alert) => attachment(alert, externalURL)),
  }
}
