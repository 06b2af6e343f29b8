/** What Grafana expects of a dashboard and does not say: there is no Grafana to ask. Returns what is wrong. */

// biome-ignore lint/suspicious/noExplicitAny: its shape is what is checked here
type Json = Readonly<Record<string, any>>

const PANELS = ['row', 'timeseries', 'stat', 'heatmap', 'state-timeline']
const UNITS = ['reqps', 'percentunit', 's', 'short', 'bytes', 'Bps', 'ops', 'd']
const COLOURS = ['red', 'orange', 'purple', 'green']
/** Those that Grafana itself fills in. */
const BUILT_IN = ['__rate_interval', '__interval', '__range', '__all']
const COLUMNS = 24

export function dashboardProblems(dashboard: Json): string[] {
  const problems: string[] = []
  const wrong = (what: string): void => void problems.push(`${dashboard['title']}: ${what}`)
  if (!/^[a-zA-Z0-9_-]{1,40}$/.test(dashboard['uid'])) wrong(`the uid ${dashboard['uid']} is none`)
  if (dashboard['schemaVersion'] !== 39) wrong('the version of the schema is not that of Grafana 11')
  if (typeof dashboard['title'] !== 'string' || dashboard['id'] !== undefined) wrong('has no title, or an id')
  if (!Array.isArray(dashboard['tags']) || dashboard['tags'].length === 0) wrong('has no tag')

  const defined = new Set<string>(BUILT_IN)
  for (const one of dashboard['templating'].list) {
    if (!/^\w+$/.test(one.name) || defined.has(one.name))
      wrong(`the variable ${one.name} is no name, or there twice`)
    if (one.type === 'query' && one.query.query !== one.definition) wrong(`${one.name} has two queries`)
    if (one.type === 'query' && one.datasource.uid !== '$datasource') wrong(`${one.name} asks another source`)
    // A variable may use those before it.
    for (const used of variablesIn(one)) if (!defined.has(used)) wrong(`${one.name} uses $${used} too early`)
    defined.add(one.name)
  }
  if (dashboard['templating'].list[0]?.type !== 'datasource') wrong('the data source cannot be chosen')
  for (const used of variablesIn(dashboard)) if (!defined.has(used)) wrong(`$${used} is not defined`)

  const [own, ...marks] = dashboard['annotations'].list
  if (own.builtIn !== 1) wrong("Grafana's own annotations are missing")
  for (const { name, expr, datasource, iconColor } of marks)
    if (!name || !expr || datasource.uid !== '$datasource' || !COLOURS.includes(iconColor))
      wrong(`the annotation ${name} is not complete`)

  const ids = new Set<number>()
  const taken = new Map<string, string>()
  for (const panel of dashboard['panels'] as readonly Json[]) {
    const say = (what: string): void => wrong(`panel "${panel['title']}": ${what}`)
    if (!Number.isInteger(panel['id']) || panel['id'] < 1 || ids.has(panel['id']))
      say('its id is none, or another’s')
    ids.add(panel['id'])
    if (!PANELS.includes(panel['type'])) say(`there is no type ${panel['type']}`)
    if (!panel['title']) say('has no title')
    const { x, y, w, h } = panel['gridPos']
    if (![x, y, w, h].every(Number.isInteger) || x < 0 || y < 0 || w < 1 || h < 1 || x + w > COLUMNS)
      say('stands outside of the grid')
    for (let column = x; column < x + w; column++) {
      for (let row = y; row < y + h; row++) {
        const other = taken.get(`${column} ${row}`)
        if (other !== undefined) say(`stands on "${other}"`)
        taken.set(`${column} ${row}`, panel['title'])
      }
    }
    if (panel['type'] === 'row') {
      if (panel['collapsed'] !== false || panel['panels'].length > 0)
        say('is collapsed, or has panels inside')
    } else
      problems.push(
        ...panelProblems(panel).map((what) => `${dashboard['title']}: "${panel['title']}": ${what}`),
      )
  }
  return [...new Set(problems)]
}

function panelProblems({ description, datasource, fieldConfig, options, targets, type }: Json): string[] {
  const problems: string[] = []
  const { unit, thresholds, custom } = fieldConfig.defaults
  if (!description) problems.push('says not what it shows')
  if (datasource.uid !== '$datasource') problems.push('asks another source')
  if (!UNITS.includes(unit)) problems.push(`there is no unit ${unit}`)
  if (Object.keys(options).length === 0) problems.push('has no options')
  const values = thresholds.steps.map(({ value }: Json) => value)
  if (values[0] !== null || values.slice(1).some((value: unknown) => typeof value !== 'number'))
    problems.push('its thresholds do not begin at the bottom')
  if (values.slice(1).some((value: number, i: number) => i > 0 && value <= values[i]))
    problems.push('its thresholds do not rise')
  if (type === 'timeseries' && (custom.thresholdsStyle.mode === 'line') !== values.length > 1)
    problems.push('its thresholds are not drawn')
  const refs = targets.map(({ refId }: Json) => refId)
  if (targets.length === 0) problems.push('asks nothing')
  if (targets.length > 26) problems.push('asks for more than there are letters')
  if (new Set(refs).size !== refs.length || refs.some((ref: string) => !/^[A-Z]$/.test(ref)))
    problems.push('its refIds are none, or there twice')
  for (const { expr, legendFormat, datasource, instant, range, format } of targets) {
    if (!expr || !legendFormat || datasource.uid !== '$datasource') problems.push('a query is not complete')
    if (instant === range) problems.push('a query is both instant and of a range, or neither')
    if (format !== (type === 'heatmap' ? 'heatmap' : 'time_series'))
      problems.push('a query has the wrong format')
  }
  for (const { matcher } of fieldConfig.overrides)
    if (!refs.includes(matcher.options))
      problems.push(`an override is for ${matcher.options}, which is not there`)
  return problems
}

function* variablesIn(value: unknown): Generator<string> {
  if (typeof value === 'string') for (const [, name] of value.matchAll(/\$\{?(\w+)/g)) yield name as string
  else if (value !== null && typeof value === 'object')
    for (const one of Object.values(value)) yield* variablesIn(one)
}
