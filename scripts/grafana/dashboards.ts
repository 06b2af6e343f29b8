/** All that is written: the dashboards of a config, and the file that has Grafana read them. */
import type { Rule } from '../../plugins/alerts/rules/rule.ts'
import type { Facts } from './facts.ts'
import { dashboardJson } from './json.ts'
import { Limits } from './limits.ts'
import { overview } from './overview.ts'
import type { Annotation, Choice, Dashboard } from './panel.ts'
import { series } from './promql.ts'
import { routes } from './routes.ts'
import { upstreams } from './upstreams.ts'

/** @param metric any that has the label */
const choice = (name: string, label: string, metric: string): Choice => ({
  name,
  label,
  of: `label_values(${metric}, ${name})`,
})

function annotations({ alerts }: Facts): Annotation[] {
  const event = (name: string, colour: Annotation['colour'], title: string): Annotation => ({
    name: title,
    // Longer than it takes to scrape twice, and so seen in one place only.
    expr: `sum by (upstream) (increase(${series('holdfast_upstream_events_total', `event="${name}"`)}[2m])) > 0`,
    title: `${title}: {{upstream}}`,
    colour,
  })
  return [
    ...(alerts
      ? [
          {
            name: 'Alerts',
            expr: `max by (rule, severity) (${series('holdfast_alerts_firing')}) == 1`,
            title: 'Alert: {{rule}} ({{severity}})',
            colour: 'red',
          } satisfies Annotation,
        ]
      : []),
    event('ejected', 'orange', 'Ejections'),
    event('panic', 'purple', 'Panic'),
  ]
}

/**
 * Files by their path in the folder, always the same for the same config.
 * @param name of the gateway in Grafana: begins the uids and the titles
 * @param job what Prometheus calls the gateways of this config
 * @param folder where Grafana finds the dashboards
 */
export function grafanaFiles(
  facts: Facts,
  rules: readonly Rule[],
  { name, job, folder }: { readonly name: string; readonly job: string; readonly folder: string },
): Map<string, string> {
  const limits = new Limits(rules)
  const title = `${name.charAt(0).toUpperCase()}${name.slice(1)}`
  const gateways = [
    { ...choice('job', 'Job', 'holdfast_build_info'), chosen: job },
    choice('instance', 'Gateway', 'holdfast_build_info{job=~"$job"}'),
  ]
  const route = choice('route', 'Route', series('holdfast_requests_total'))
  const upstream = choice('upstream', 'Upstream', series('holdfast_upstream_targets'))
  const marks = annotations(facts)
  const dashboards: readonly Dashboard[] = [
    {
      uid: `${name}-overview`,
      title: `${title}: overview`,
      description: 'The gateway as a whole.',
      choices: gateways,
      annotations: marks,
      sections: overview(facts, limits),
    },
    {
      uid: `${name}-routes`,
      title: `${title}: routes`,
      description: 'What clients get, by route.',
      choices: [...gateways, route],
      annotations: marks,
      sections: routes(facts, limits),
    },
    {
      uid: `${name}-upstreams`,
      title: `${title}: upstreams and targets`,
      description: 'What upstreams and their targets do.',
      choices: [...gateways, upstream],
      annotations: marks,
      sections: upstreams(facts, limits),
    },
  ]
  return new Map([
    ...dashboards.map((one): [string, string] => [
      `dashboards/${one.uid}.json`,
      `${JSON.stringify(dashboardJson(one, name), undefined, 2)}\n`,
    ]),
    [`provisioning/dashboards/${name}.yaml`, provisioning(name, title, folder)],
  ])
}

/** Where Grafana looks for dashboards (its own format, version 1). */
function provisioning(name: string, title: string, folder: string): string {
  return `# Made by \`npm run export:grafana\`. Put it into Grafana's folder provisioning/dashboards.
apiVersion: 1
providers:
  - name: ${name}
    folder: ${title}
    type: file
    disableDeletion: false
    allowUiUpdates: false
    options:
      path: ${JSON.stringify(folder)}
`
}
