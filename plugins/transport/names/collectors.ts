import type { Collector } from '../../upstreams/measures.ts'
import type { Names } from './names.ts'

/** What is shown of the names of targets. */
export function nameCollectors(names: Pick<Names, 'known'>, now: () => number): Collector[] {
  return [
    {
      name: 'name_addresses',
      help: 'Addresses that the name of a target has; 0 while it cannot be resolved at all.',
      type: 'gauge',
      labels: ['name'],
      collect(add) {
        for (const { name, addresses } of names.known) add(addresses.length, name)
      },
    },
    {
      name: 'name_age_seconds',
      help: 'Time since the addresses of the name were last confirmed by a look-up.',
      type: 'gauge',
      labels: ['name'],
      collect(add) {
        for (const { name, foundAt } of names.known)
          if (foundAt !== undefined) add((now() - foundAt) / 1000, name)
      },
    },
    {
      name: 'name_lookups_total',
      help: 'Look-ups of the name that are over.',
      type: 'counter',
      labels: ['name', 'result'],
      collect(add) {
        for (const { name, counts } of names.known) {
          add(counts.found, name, 'found')
          add(counts.failed, name, 'failed')
        }
      },
    },
  ]
}
