import { createRequire } from 'node:module'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { expressionCompiler, Wanted } from './compile.ts'
import type { Plain } from './plain.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /**
     * Compiles an expression of CEL over the variables `request` and `identity`; see docs/authorization.md. Throws
     * an `ExpressionError` that says what is wrong and where.
     * @param wanted what its value has to serve for, where it can be told: `'bool'`, `'number'`, or `'key'`, by which
     *   requests are told apart
     * @returns its value for a request, as JSON has it; throws an `EvaluationError` where it has none, which is never to
     *   be taken for a yes
     */
    compileExpression(text: string, wanted?: Wanted): (request: FastifyRequest) => Plain
  }
}

const require = createRequire(import.meta.url)

export default fp(
  async (app: FastifyInstance) => {
    let compile: ReturnType<typeof expressionCompiler> | undefined
    app.decorate('compileExpression', (text, wanted) => {
      // With the first expression and not before: CEL takes longer to load than all the rest of the gateway.
      compile ??= (require('./compile.ts') as typeof import('./compile.ts')).expressionCompiler(() =>
        Date.now(),
      )
      return compile(text, wanted)
    })
  },
  { name: 'expressions' },
)
