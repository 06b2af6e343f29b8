import { existsSync, readdirSync, statSync } from 'node:fs'
import { extname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { GatewayConfig, SchemaModule } from './define.ts'
import type { Problem } from './errors.ts'
import { importProblem, knownAs } from './import-error.ts'
import { list, nonEmptyList, object, record } from './kit.ts'
import { freezePlain, isObject } from './plain.ts'
import { mainPort, mainPortProblems, type PortUse, portClashes } from './ports.ts'
import type { Properties, Schema } from './typed.ts'
import { validate } from './validate.ts'

/**
 * A concern's check of what a schema cannot say: a reference, a pair that does not go together. `found` is what the
 * schemas have found wrong: what they refused is as it was written.
 */
export type Check = (
  config: GatewayConfig,
  found: readonly Problem[],
) => readonly Problem[] | Promise<readonly Problem[]>

interface SchemaFile {
  readonly schema?: SchemaModule
  readonly check?: Check
  /** What the concern will listen on. */
  readonly ports?: (config: GatewayConfig) => readonly PortUse[]
}

/** A config that has been read. Where there are problems, `config` is an empty gateway. */
export interface LoadedGateway {
  /** As the user knows it, for messages. */
  readonly file: string
  readonly config: GatewayConfig
  /** What the user wrote, with units read and defaults filled in as far as it went. */
  readonly written: GatewayConfig
  readonly problems: readonly Problem[]
  /** What it will listen on besides the main port. */
  readonly ports: readonly PortUse[]
}

function portsOf(files: readonly SchemaFile[], config: GatewayConfig): PortUse[] {
  return files.flatMap(({ ports }) => ports?.(config) ?? [])
}

const PLUGINS = resolve(import.meta.dirname, '..')

async function schemaFiles(folder: string): Promise<SchemaFile[]> {
  const files: SchemaFile[] = []
  for (const entry of readdirSync(folder, { withFileTypes: true }).toSorted((a, b) =>
    a.name < b.name ? -1 : 1,
  )) {
    const path = join(folder, entry.name, 'schema.ts')
    if (entry.isDirectory() && existsSync(path)) files.push(await import(pathToFileURL(path).href))
  }
  return files
}

function compose(files: readonly SchemaFile[]) {
  const merge = (level: keyof SchemaModule): Properties =>
    Object.assign({}, ...files.map((file) => file.schema?.[level] ?? {}))
  const { targets: _, ...upstream } = merge('upstream')
  return object({
    ...merge('gateway'),
    upstreams: record(
      object({ ...upstream, targets: nonEmptyList(object(merge('target')), { noun: 'target' }) }),
      {
        names: '^[A-Za-z0-9][A-Za-z0-9_.-]*$',
      },
    ),
    routes: list(object(merge('route'))),
  })
}

/** The schemas of all the plugins there are, ready to check configs with. */
export interface Schemas {
  readonly files: readonly SchemaFile[]
  readonly whole: Schema<unknown>
}

/** @param folder the plugins; default: those of this gateway */
export async function loadSchemas(folder = PLUGINS): Promise<Schemas> {
  const files = await schemaFiles(folder)
  return { files, whole: compose(files) }
}

/**
 * Checks a config object with the schemas of the plugins.
 * @param file how messages call it
 * @param schemas default: those of this gateway
 * @param main the port that the gateway itself listens on, where it is known
 */
export async function readGateway(
  input: unknown,
  file: string,
  schemas: Schemas | Promise<Schemas> = loadSchemas(),
  main?: PortUse,
): Promise<LoadedGateway> {
  const { files, whole } = await schemas
  const { value, problems: found } = validate(whole, input)
  const problems = [...found]
  const written = value as GatewayConfig
  const clashes: Check = (config) => portClashes([main ?? [], portsOf(files, config)].flat())
  for (const check of [...files.flatMap((file) => file.check ?? []), clashes]) {
    try {
      problems.push(...(await check(written, found)))
    } catch (error) {
      // On a config that the schema has refused, a check may stumble over just that; it has nothing to add.
      if (problems.length === 0) throw error
    }
  }
  if (problems.length === 0) {
    return { file, config: freezePlain(written), written, problems, ports: portsOf(files, written) }
  }
  const empty = validate(whole, { upstreams: {}, routes: [] }).value as GatewayConfig
  return { file, config: freezePlain(empty), written, problems, ports: [] }
}

async function importConfig(path: string): Promise<unknown> {
  const url = pathToFileURL(path).href
  const module = extname(path) === '.json' ? await import(url, { with: { type: 'json' } }) : await import(url)
  return module.default
}

/** Reads the file that `GATEWAY_CONFIG` names, by default `gateway.config.ts` in the working directory. */
export async function loadGateway(
  path = process.env.GATEWAY_CONFIG || 'gateway.config.ts',
): Promise<LoadedGateway> {
  const absolute = resolve(path)
  const file = knownAs(absolute)
  const wrong = async (message: string): Promise<LoadedGateway> => {
    const loaded = await readGateway({ upstreams: {}, routes: [] }, file)
    return { ...loaded, problems: [{ path: '', message }] }
  }
  const there = statSync(absolute, { throwIfNoEntry: false })
  if (there?.isFile() !== true) {
    return wrong(
      `${there === undefined ? 'no such file' : 'is no file'}; set GATEWAY_CONFIG to the path of your config`,
    )
  }
  let input: unknown
  try {
    input = await importConfig(absolute)
  } catch (error) {
    return wrong(importProblem(error))
  }
  if (!isObject(input)) {
    return wrong('exports no config; write `export default defineGateway({ ... })`')
  }
  const loaded = await readGateway(input, file, loadSchemas(), mainPort(process.argv[1], process.env))
  return { ...loaded, problems: [...mainPortProblems(process.env), ...loaded.problems] }
}
