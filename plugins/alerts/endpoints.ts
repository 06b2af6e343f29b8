import type { FastifyInstance } from 'fastify'
import { duration, object, optional, record, text, withDefault } from '../config/kit.ts'
import { read } from '../config/validate.ts'
import type { Alert } from './engine/alert.ts'
import { annotationsOf } from './notify/notification.ts'
import type { Silence } from './notify/silences.ts'
import { unknownLabel } from './rules/receiver-problems.ts'
import type { AlertService } from './service.ts'

const newSilence = object({
  /** Labels, `*` standing for any text. */
  where: record(text(), { least: 1 }),
  /** One of the two. */
  until: optional(text()),
  for: optional(duration({ maximum: '365d' })),
  comment: withDefault(text({ pattern: '^[\\s\\S]{0,1000}$', remedy: 'write up to 1000 characters' }), ''),
})

const time = (timeOfDay: number): string => new Date(timeOfDay).toISOString()

function shown(alert: Alert, service: AlertService) {
  const { rule, labels, state, value, startsAt, endsAt, fingerprint } = alert
  return {
    name: rule.name,
    state,
    labels,
    annotations: annotationsOf(alert),
    fingerprint,
    silenced: service.silenced(alert),
    ...(state === 'inactive' ? {} : { value }),
    ...(startsAt === 0 ? {} : { startsAt: time(startsAt) }),
    ...(endsAt === 0 ? {} : { endsAt: time(endsAt) }),
  }
}

const shownSilence = ({ until, ...silence }: Silence) => ({ ...silence, until: time(until) })

function refuse(statusCode: number, message: string): Error {
  return Object.assign(new Error(message), { statusCode })
}

/** The alerts and what is done about them, to look at and to change while running. Lost on a restart. */
export function addEndpoints(admin: FastifyInstance, service: AlertService): void {
  admin.get('/alerts', async () => ({
    alerts: service.alerts.map((alert) => shown(alert, service)),
    actions: service.actions.active.map(({ name, action }) => ({ rule: name, action })),
    silences: service.silences.list(Date.now()).map(shownSilence),
    receivers: service.receivers.map(({ name, waiting }) => ({ name, waiting })),
  }))

  admin.post('/alerts/silences', async ({ body }, reply) => {
    const now = Date.now()
    const { where, comment, until: date, for: duration } = read(newSilence, body)
    const rules = service.alerts.map(({ rule }) => rule)
    for (const name of Object.keys(where)) {
      const why = unknownLabel(name, rules)
      if (why !== undefined) throw refuse(400, why)
    }
    if ((date === undefined) === (duration === undefined))
      throw refuse(
        400,
        'say either `until`, a time like "2027-01-01T06:00:00Z", or `for`, a duration like "2h"',
      )
    const until = date === undefined ? now + (duration as number) : Date.parse(date)
    if (!(until > now) || !Number.isFinite(until))
      throw refuse(
        400,
        'the silence ends in no future: write a time like "2027-01-01T06:00:00Z" or a duration like "2h"',
      )
    try {
      const silence = service.silences.add({ where, until, comment }, now)
      reply.code(201)
      return shownSilence(silence)
    } catch (error) {
      throw refuse(409, (error as Error).message)
    }
  })

  admin.delete<{ Params: { id: string } }>('/alerts/silences/:id', async ({ params }, reply) => {
    if (!service.silences.end(params.id))
      throw refuse(404, `no silence "${params.id}" was set here; those of the config end in the config`)
    return reply.code(204).send()
  })

  admin.delete<{ Params: { rule: string } }>('/alerts/actions/:rule', async ({ params }, reply) => {
    const rule = service.actions.active.find(({ name }) => name === params.rule)
    if (rule === undefined) throw refuse(404, `no action of a rule "${params.rule}" is in force`)
    service.actions.end(rule, 'an operator said so')
    return reply.code(204).send()
  })
}
