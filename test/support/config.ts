import { type LoadedGateway, loadSchemas, readGateway as read } from '../../plugins/config/load.ts'

// A file of tests reads many configs: making what checks them is most of the work.
const schemas = loadSchemas()

/** Checks a config with the schemas of this gateway. */
export function readGateway(input: unknown, file = 'test.config.ts'): Promise<LoadedGateway> {
  return read(input, file, schemas)
}
