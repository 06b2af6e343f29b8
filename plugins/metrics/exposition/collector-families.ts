import type { Collector } from '../../upstreams/measures.ts'
import { type Family, labelText } from './page.ts'

const NAME = /^[a-z][a-z0-9_]*$/
/** What the format itself makes of names, so that no metric may end with it. */
const RESERVED = /_(count|sum|bucket|created)$/

/** Why a collector cannot be shown, with the remedy; undefined if it can. */
export function collectorProblem({ name, type, labels }: Collector): string | undefined {
  if (!NAME.test(name)) return `"${name}" is no name of a metric; write it like "retries_total"`
  if (RESERVED.test(name)) return `"${name}" ends with a word that the format needs; take another name`
  if (type === 'counter' && !name.endsWith('_total')) return `the counter "${name}" has to end with "_total"`
  if (type === 'gauge' && name.endsWith('_total')) return `the gauge "${name}" must not end with "_total"`
  const wrong = labels.find((label) => !NAME.test(label) || label === 'le' || label === 'quantile')
  return wrong === undefined ? undefined : `"${wrong}" of "${name}" is no name of a label; take another`
}

/**
 * Why families cannot stand on one page, with the remedy; undefined if they can. OpenMetrics names the family of
 * `requests_total` `requests`: a gauge of that name would be the same one, and a reader may refuse the page.
 */
export function sharedFamily(families: Iterable<Pick<Family, 'name'>>): string | undefined {
  const names = new Map<string, string>()
  for (const { name } of families) {
    const family = name.replace(/_total$/, '')
    const other = names.get(family)
    if (other !== undefined)
      return `"${name}" cannot be shown: "${other}" is there already, and to OpenMetrics the two are one; take another name`
    names.set(family, name)
  }
  return undefined
}

/**
 * What other concerns count.
 * @param failed hears of a collector that threw; what it had to say is left out
 */
export function collectorFamilies(
  collectors: readonly Collector[],
  failed: (collector: Collector, error: unknown) => void,
): Family[] {
  return collectors
    .filter((collector) => collectorProblem(collector) === undefined)
    .map((collector) => {
      const { name, help, type, labels } = collector
      return {
        name: `holdfast_${name}`,
        help,
        type,
        labels,
        write(page) {
          try {
            collector.collect((value, ...values) => {
              if (values.length !== labels.length)
                throw new TypeError(`"${name}" has ${labels.length} labels, not ${values.length}`)
              page.sample(labelText(labels, values), value)
            })
          } catch (error) {
            failed(collector, error)
          }
          return undefined
        },
      }
    })
}
