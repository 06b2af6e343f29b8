import type { FastifyInstance } from 'fastify'

/**
 * What a concern that may have been taken out has decorated on the server; undefined where it is not there or has
 * nothing. The type is what the reader needs of it: with the folder its own type is gone too.
 */
export function decorated<T>(app: FastifyInstance, name: string): T | undefined {
  if (!app.hasDecorator(name)) return undefined
  return (app as unknown as Record<string, T | null>)[name] ?? undefined
}
