import type { FastifyRequest } from 'fastify'

/** Under this, Fastify finds what our router has found already. No client's path gets there. */
export const INTERNAL = '/~holdfast/'

/** Name of the config's route that took a request, or path of the gateway's own endpoint; undefined if none did. */
export function routeName(request: FastifyRequest): string | undefined {
  // Made anew at each look.
  const { config, url } = request.routeOptions
  return config.gateway?.name ?? (url?.startsWith(INTERNAL) ? undefined : url)
}

/** Path of that route or endpoint as it is written: `/users/:id`, or the source of a regular expression. */
export function routeTemplate(request: FastifyRequest): string | undefined {
  const { config, url } = request.routeOptions
  const path = config.gateway?.config.path
  if (path !== undefined) return typeof path === 'string' ? path : path.source
  return url?.startsWith(INTERNAL) ? undefined : url
}
