/** Finds out before the first request what is wrong with an expression: names, calls, types, cost. */
import type { CelEnv, CelFunc } from '@bufbuild/cel'
import type { Expr, Expr_Call, Expr_Comprehension } from '@bufbuild/cel-spec/cel/expr/syntax_pb.js'
import { suggestion } from '../config/suggest.ts'
import { BOOL, comparable, DYN, fits, TYPE_NAMES, type Type, VARIABLES } from './types.ts'

/** The functions there are. */
export type Functions = CelEnv['funcs']

/** Thrown with the number of the part of the expression that is at fault. */
export class Fault extends Error {
  readonly part: bigint

  constructor(part: bigint, message: string) {
    super(message)
    this.part = part
  }
}

interface Scope {
  readonly names: ReadonlyMap<string, Type>
  /** Within a macro that goes over what a client sends, or somebody else of whom nobody knows how much it is. */
  readonly looping: boolean
}

const CONSTANTS: Readonly<Record<string, string>> = {
  boolValue: 'bool',
  bytesValue: 'bytes',
  doubleValue: 'double',
  int64Value: 'int',
  nullValue: 'null_type',
  stringValue: 'string',
  uint64Value: 'uint',
}

function literal(expr: Expr | undefined): string | undefined {
  if (expr?.exprKind.case !== 'constExpr') return undefined
  const { constantKind } = expr.exprKind.value
  return constantKind.case === 'stringValue' ? constantKind.value : undefined
}

/** How an operator looks where it is written: `_==_` is `==`, `_[_]` is `[]`. */
function spelt(name: string): string {
  return name.replaceAll(/[_@]/g, (mark, at, whole) =>
    /\w{2}/.test(whole.slice(at)) && mark === '_' ? mark : '',
  )
}

/**
 * Goes through an expression once and throws a `Fault` at the first thing that is wrong.
 * @param onPattern told of each regular expression; throws if it is none
 * @returns the type of its value
 */
export function checkExpression(root: Expr, functions: Functions, onPattern: (text: string) => void): Type {
  const typeOf = (expr: Expr, scope: Scope): Type => {
    const { exprKind, id } = expr
    switch (exprKind.case) {
      case 'constExpr':
        return { kind: CONSTANTS[exprKind.value.constantKind.case ?? ''] ?? 'dyn' }
      case 'identExpr':
        return variable(id, exprKind.value.name.replace(/^\./, ''), scope)
      case 'selectExpr': {
        const { operand, field, testOnly } = exprKind.value
        const type = fieldType(id, typeOf(operand as Expr, scope), field)
        return testOnly ? BOOL : type
      }
      case 'listExpr': {
        const types = exprKind.value.elements.map((element) => typeOf(element, scope))
        const [first = DYN] = types
        return { kind: 'list', of: types.every(({ kind }) => kind === first.kind) ? first : DYN }
      }
      case 'structExpr': {
        if (exprKind.value.messageName !== '') throw new Fault(id, 'messages cannot be made here; use a map')
        for (const { keyKind, value } of exprKind.value.entries) {
          if (keyKind.case === 'mapKey') typeOf(keyKind.value, scope)
          if (value !== undefined) typeOf(value, scope)
        }
        return { kind: 'map', of: DYN }
      }
      case 'callExpr':
        return call(id, exprKind.value, scope)
      case 'comprehensionExpr':
        return comprehension(id, exprKind.value, scope)
      default:
        throw new Fault(id, 'is no expression')
    }
  }

  const variable = (id: bigint, name: string, scope: Scope): Type => {
    const type = scope.names.get(name)
    if (type !== undefined) return type
    if (TYPE_NAMES.has(name)) return { kind: 'type' }
    const names = [...scope.names.keys()].filter((known) => !known.startsWith('@'))
    throw new Fault(id, `there is no "${name}" here; ${suggestion(name, names)}`)
  }

  const fieldType = (id: bigint, from: Type, field: string): Type => {
    if (from.fields !== undefined) {
      if (Object.hasOwn(from.fields, field)) return from.fields[field] as Type
      throw new Fault(id, `"${from.kind}" has no "${field}"; ${suggestion(field, Object.keys(from.fields))}`)
    }
    if (from.kind !== 'dyn' && from.kind !== 'map')
      throw new Fault(id, `a ${from.kind} has no fields, and so no "${field}"`)
    if (from.lowerCase && field !== field.toLowerCase())
      throw new Fault(id, `names of headers are in lower case; write "${field.toLowerCase()}"`)
    return from.of ?? DYN
  }

  const indexed = (id: bigint, from: Type, index: Expr, scope: Scope): Type => {
    const type = typeOf(index, scope)
    const name = literal(index)
    if (name !== undefined && from.kind !== 'list') return fieldType(id, from, name)
    if (from.fields !== undefined) throw new Fault(id, `fields of "${from.kind}" are named, not worked out`)
    if (from.kind === 'list' && !['dyn', 'int', 'uint', 'double'].includes(type.kind))
      throw new Fault(id, `an element of a list has a number, not a ${type.kind}`)
    if (!['dyn', 'list', 'map'].includes(from.kind)) throw new Fault(id, `a ${from.kind} has no elements`)
    return from.of ?? DYN
  }

  const wantBool = (expr: Expr, scope: Scope, where: string): void => {
    const type = typeOf(expr, scope)
    if (!fits(type, 'bool')) throw new Fault(expr.id, `${where} takes true or false, not a ${type.kind}`)
  }

  const call = (id: bigint, { function: name, target, args }: Expr_Call, scope: Scope): Type => {
    const [first, second, third] = args as [Expr, Expr, Expr]
    switch (name) {
      case '_&&_':
      case '_||_':
        for (const arg of args) wantBool(arg, scope, spelt(name))
        return BOOL
      case '@not_strictly_false':
        typeOf(first, scope)
        return BOOL
      case '_?_:_': {
        wantBool(first, scope, '?')
        const [yes, no] = [typeOf(second, scope), typeOf(third, scope)]
        return yes.kind === no.kind ? yes : DYN
      }
      case '_[_]':
        return indexed(id, typeOf(first, scope), second, scope)
      case '_==_':
      case '_!=_': {
        const [a, b] = [typeOf(first, scope), typeOf(second, scope)]
        if (!comparable(a, b)) throw new Fault(id, `a ${a.kind} is never equal to a ${b.kind}`)
        return BOOL
      }
    }
    return called(id, name, target, args, scope)
  }

  const called = (
    id: bigint,
    name: string,
    target: Expr | undefined,
    args: readonly Expr[],
    scope: Scope,
  ): Type => {
    const all = [...((functions.find(name) as Iterable<CelFunc> | undefined) ?? [])]
    if (all.length === 0) {
      const names = [...functions].map((func) => func.name).filter((known) => /^[a-z]/i.test(known))
      throw new Fault(id, `there is no function "${spelt(name)}"; ${suggestion(name, names)}`)
    }
    const on = target === undefined ? undefined : typeOf(target, scope)
    const types = args.map((arg) => typeOf(arg, scope))
    const fit = all.filter(
      (func) =>
        (func.target === undefined ? on === undefined : on !== undefined && fits(on, func.target.name)) &&
        func.arguments.length === types.length &&
        func.arguments.every((wanted, i) => fits(types[i] as Type, wanted.name)),
    )
    if (fit.length === 0) {
      const given = `(${types.map(({ kind }) => kind).join(', ')})`
      throw new Fault(
        id,
        `"${spelt(name)}" does not take ${on === undefined ? '' : `a ${on.kind} and `}${given}`,
      )
    }
    if (name === 'matches') {
      const pattern = literal(args[0])
      if (pattern === undefined)
        throw new Fault(id, 'the pattern of "matches" has to be written out: it is compiled at the start')
      try {
        onPattern(pattern)
      } catch (error) {
        throw new Fault(id, `the pattern of "matches" cannot be compiled: ${(error as Error).message}`)
      }
    }
    const results = new Set(fit.map(({ result }) => result.name))
    return results.size === 1 ? { kind: [...results][0] as string } : DYN
  }

  const comprehension = (id: bigint, fold: Expr_Comprehension, scope: Scope): Type => {
    const range = fold.iterRange as Expr
    const over = typeOf(range, scope)
    if (!['dyn', 'list', 'map'].includes(over.kind))
      throw new Fault(id, `a ${over.kind} has no elements to go over`)
    const bounded = range.exprKind.case === 'listExpr' || range.exprKind.case === 'structExpr'
    if (!bounded && scope.looping)
      throw new Fault(
        id,
        'goes over a list within another one; what clients send may make that take too long',
      )
    const names = new Map(scope.names)
    names.set(
      fold.iterVar,
      over.kind === 'list' ? (over.of ?? DYN) : over.kind === 'map' ? { kind: 'string' } : DYN,
    )
    const inside = { names, looping: scope.looping || !bounded }
    names.set(fold.accuVar, typeOf(fold.accuInit as Expr, inside))
    typeOf(fold.loopCondition as Expr, inside)
    typeOf(fold.loopStep as Expr, inside)
    return typeOf(fold.result as Expr, inside)
  }

  return typeOf(root, { names: new Map(Object.entries(VARIABLES)), looping: false })
}
