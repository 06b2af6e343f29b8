/** From the text of an expression to a function. CEL, the Common Expression Language: https://cel.dev. */
import { type CelInput, CelScalar, celEnv, celFunc, isCelError, objectType, parse, plan } from '@bufbuild/cel'
import { strings } from '@bufbuild/cel/ext'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { RE2JS } from '@bufbuild/re2'
import { checkExpression, Fault } from './check.ts'
import { EvaluationError, ExpressionError } from './errors.ts'
import { type Plain, plainOf } from './plain.ts'
import { fits, type Type } from './types.ts'
import { type ExpressionRequest, Variables } from './variables.ts'

/** So long an expression may be, in characters. Longer ones belong into a plugin, which can be tested. */
export const LONGEST = 4096

/** Throws an `EvaluationError` where there is no value. */
export type Expression = (request: ExpressionRequest) => Plain

/** What a value is for: a yes or no, a number, or something that requests are told apart by. */
export type Wanted = 'bool' | 'number' | 'key'

/** Of no use to tell requests apart: another one for each, or none at all. */
const NO_KEYS: ReadonlySet<string> = new Set([
  'google.protobuf.Timestamp',
  'google.protobuf.Duration',
  'identity',
  'request',
  'type',
])

const SERVES: Readonly<Record<Wanted, (type: Type) => boolean>> = {
  bool: (type) => fits(type, 'bool'),
  number: (type) => ['int', 'uint', 'double'].some((number) => fits(type, number)),
  key: ({ kind, of }) => !NO_KEYS.has(kind) && (of === undefined || SERVES.key(of)),
}

const HAS_TO_BE: Readonly<Record<Wanted, string>> = {
  bool: 'true or false',
  number: 'a number',
  key: 'a text, a number, a list or a map, by which requests are told apart',
}

function place(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset).split('\n')
  return { line: before.length, column: (before.at(-1) as string).length + 1 }
}

function parsed(text: string): ReturnType<typeof parse> {
  try {
    return parse(text)
  } catch (error) {
    const { rawMessage, location } = error as {
      rawMessage?: string
      location?: { start: { offset: number } }
    }
    const message = rawMessage ?? (error as Error).message
    throw new ExpressionError(
      message,
      location === undefined ? undefined : place(text, location.start.offset),
    )
  }
}

/**
 * A compiler of expressions. What it compiles runs synchronously and in a time bounded by the sizes of the expression
 * and of the request: patterns are RE2's, which take linear time, and lists are not gone over within lists.
 * @param now milliseconds since 1970
 * @returns throws an `ExpressionError` where the text is none, or never has a value that serves for what is `wanted`
 */
export function expressionCompiler(now: () => number): (text: string, wanted?: Wanted) => Expression {
  const patterns = new Map<string, RE2JS>()
  const compilePattern = (text: string): RE2JS => {
    const known = patterns.get(text) ?? RE2JS.compile(text)
    patterns.set(text, known)
    return known
  }
  // The library takes the number for milliseconds; CEL's definition says seconds.
  const ofSeconds = celFunc(
    'timestamp',
    [CelScalar.INT],
    objectType('google.protobuf.Timestamp'),
    (seconds) => timestampFromMs(Number(seconds) * 1000) as never,
  )
  const env = celEnv({ funcs: [...strings, ofSeconds], re2: { compile: compilePattern } })
  const time = (): CelInput => timestampFromMs(now())

  return (text, wanted) => {
    if (text.length > LONGEST)
      throw new ExpressionError(
        `is longer than ${LONGEST} characters; write a plugin with \`app.defineAuthorizer\``,
      )
    const { expr, sourceInfo } = parsed(text)
    try {
      const type = checkExpression(expr, env.funcs, compilePattern)
      if (wanted !== undefined && !SERVES[wanted](type))
        throw new Fault(expr.id, `has to be ${HAS_TO_BE[wanted]}, and is of the type ${type.kind}`)
    } catch (error) {
      if (!(error instanceof Fault)) throw error
      const offset = sourceInfo?.positions[String(error.part) as never] as number | undefined
      throw new ExpressionError(error.message, offset === undefined ? undefined : place(text, offset))
    }
    const run = plan(env, expr) as (variables: Readonly<Record<string, CelInput>>) => unknown
    return (request) => {
      const value = run(new Variables(request, time) as never)
      if (isCelError(value)) throw new EvaluationError(value.message)
      return plainOf(value)
    }
  }
}
