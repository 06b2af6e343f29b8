import { existsSync, readdirSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { messageOf } from '../plugins/config/messages.ts'
import { checkFleet } from './check.ts'
import type { Fleet } from './fleet.ts'

const FOLDER = join(import.meta.dirname, 'scenarios')

export function scenarioNames(): string[] {
  return readdirSync(FOLDER)
    .filter((name) => name.endsWith('.ts'))
    .map((name) => name.slice(0, -3))
    .toSorted()
}

/**
 * The fleet of this name, or in this file.
 *
 * @throws Error if there is none, or if it cannot be one
 */
export async function loadScenario(name: string): Promise<Fleet> {
  const isFile = /\.(ts|js|mjs|json)$/.test(name)
  if (!isFile && !scenarioNames().includes(name)) {
    throw new Error(`no scenario is named "${name}"; there are ${scenarioNames().join(', ')}, or name a file`)
  }
  return checkFleet(await read(isFile ? resolve(name) : join(FOLDER, `${name}.ts`)), name)
}

async function read(file: string): Promise<unknown> {
  if (!existsSync(file)) throw new Error(`there is no file "${file}"`)
  if (!file.endsWith('.json')) return (await import(pathToFileURL(file).href)).default
  const text = await readFile(file, 'utf8')
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new Error(`${file} is no JSON: ${messageOf(error)}`)
  }
}
