/** Dashboards in Grafana's schema (version 39, of Grafana 11; 12 reads it too). */
import type { Annotation, Choice, Dashboard, Section } from './panel.ts'
import { DATASOURCE, HEIGHTS, type Json, panelJson, WIDTHS } from './panel-json.ts'

const SCHEMA_VERSION = 39
const COLUMNS = 24

/** Panels from left to right; a new line where one does not fit any more or is of another height. */
function laidOut(sections: readonly Section[]): Json[] {
  const all: Json[] = []
  let y = 0
  const add = (json: Json): void => {
    all.push({ id: all.length + 1, ...json })
  }
  for (const { title, panels } of sections) {
    if (panels.length === 0) continue
    add({ type: 'row', title, collapsed: false, gridPos: { h: 1, w: COLUMNS, x: 0, y }, panels: [] })
    y++
    let x = 0
    let height = 0
    for (const panel of panels) {
      const w = panel.width ?? WIDTHS[panel.kind]
      const h = HEIGHTS[panel.kind]
      if (x + w > COLUMNS || (height !== 0 && h !== height)) {
        y += height
        x = 0
      }
      height = h
      add({ ...panelJson(panel), gridPos: { h, w, x, y } })
      x += w
    }
    y += height
  }
  return all
}

function variable({ name, label, of, chosen }: Choice): Json {
  return {
    allValue: '.*',
    current: { selected: true, text: [chosen ?? 'All'], value: [chosen ?? '$__all'] },
    datasource: DATASOURCE,
    definition: of,
    hide: 0,
    includeAll: true,
    label,
    multi: true,
    name,
    options: [],
    query: { qryType: 1, query: of, refId: 'PrometheusVariableQueryEditor-VariableQuery' },
    // When the time range changes: targets come and go.
    refresh: 2,
    regex: '',
    skipUrlSync: false,
    sort: 1,
    type: 'query',
  }
}

function annotation({ name, expr, title, colour }: Annotation): Json {
  return {
    datasource: DATASOURCE,
    enable: true,
    expr,
    hide: false,
    iconColor: colour,
    name,
    step: '30s',
    titleFormat: title,
  }
}

const OWN_ANNOTATIONS = {
  builtIn: 1,
  datasource: { type: 'grafana', uid: '-- Grafana --' },
  enable: true,
  hide: true,
  iconColor: 'rgba(0, 211, 255, 1)',
  name: 'Annotations & Alerts',
  type: 'dashboard',
}

/** @param tag what the dashboards of a gateway have in common: they link to each other by it */
export function dashboardJson(dashboard: Dashboard, tag: string): Json {
  const { uid, title, description, choices, annotations, sections } = dashboard
  return {
    uid,
    title,
    description,
    tags: [tag],
    schemaVersion: SCHEMA_VERSION,
    version: 1,
    editable: true,
    fiscalYearStartMonth: 0,
    graphTooltip: 1,
    links: [
      {
        asDropdown: false,
        icon: 'external link',
        includeVars: true,
        keepTime: true,
        tags: [tag],
        targetBlank: false,
        title: '',
        tooltip: '',
        type: 'dashboards',
        url: '',
      },
    ],
    refresh: '30s',
    time: { from: 'now-1h', to: 'now' },
    timepicker: {},
    timezone: '',
    weekStart: '',
    annotations: { list: [OWN_ANNOTATIONS, ...annotations.map(annotation)] },
    templating: {
      list: [
        {
          current: {},
          hide: 0,
          includeAll: false,
          label: 'Data source',
          multi: false,
          name: 'datasource',
          options: [],
          query: 'prometheus',
          queryValue: '',
          refresh: 1,
          regex: '',
          skipUrlSync: false,
          type: 'datasource',
        },
        ...choices.map(variable),
      ],
    },
    panels: laidOut(sections),
  }
}
