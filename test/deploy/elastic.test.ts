import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { mappings } from '../../src/delivery/elastic-mapping.ts'
import { problems } from '../../src/record/problem.ts'
import { recordKinds } from '../../src/record/record.ts'
import { elasticFolder, printElasticFiles } from './elastic-files.ts'

const read = (name: string): string => readFileSync(join(elasticFolder, name), 'utf8')
const linesOf = (name: string): unknown[] =>
  read(name)
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown)

/** Every field of our mapping, by its full name. */
const fields = new Set<string>(['_id', '_index', '_version', ...fieldsOf(mappings, '')])
function fieldsOf(mapping: object, above: string): string[] {
  const properties = (mapping as { properties?: Record<string, object> }).properties ?? {}
  return Object.entries(properties).flatMap(([name, inner]) => [
    `${above}${name}`,
    ...fieldsOf(inner, `${above}${name}.`),
  ])
}

/** What a query names that looks like a field and is none; `proofline.<kind>` in quotes is a dataset. */
function unknownIn(query: string): string[] {
  const names = [...query.matchAll(/"?[@a-z_]+(?:\.[a-z_]+)+"?/g)].map(([name]) => name)
  return names.filter((name) => {
    const bare = name.replaceAll('"', '')
    if (name.startsWith('"')) return !(isDataset(bare) || fields.has(bare))
    return !fields.has(bare)
  })
}
const isDataset = (name: string): boolean => ['canary', ...recordKinds].some((kind) => name === `proofline.${kind}`)

const common = {
  rule_id: z.string().regex(/^proofline-[a-z]+$/),
  name: z.string().startsWith('Proofline: '),
  description: z.string().min(20),
  severity: z.enum(['low', 'medium', 'high', 'critical']),
  risk_score: z.int().min(0).max(100),
  interval: z.string().regex(/^\d+[mh]$/),
  from: z.string().regex(/^now-\d+[mhd]$/),
  to: z.literal('now'),
  timestamp_override: z.literal('event.ingested'),
  timestamp_override_fallback_disabled: z.literal(false),
  enabled: z.literal(false),
  version: z.int(),
  max_signals: z.int(),
  author: z.array(z.string()),
  license: z.string(),
  output_index: z.literal(''),
  note: z.string().min(10),
  ...Object.fromEntries(['tags', 'false_positives', 'threat', 'references', 'exceptions_list', 'actions', 'risk_score_mapping', 'severity_mapping'].map((name) => [name, z.array(z.unknown())])),
} // oxfmt-ignore
const indexed = { language: z.literal('kuery'), index: z.array(z.string().startsWith('proofline-')).nonempty(), filters: z.tuple([]), query: z.string() } // oxfmt-ignore
/** As Kibana's detection engine takes it. */
const rule = z.discriminatedUnion('type', [
  z.strictObject({ ...common, type: z.literal('esql'), language: z.literal('esql'), query: z.string() }),
  z.strictObject({ ...common, ...indexed, type: z.literal('query') }),
  z.strictObject({ ...common, ...indexed, type: z.literal('threshold'), threshold: z.strictObject({ field: z.array(z.string()), value: z.int().min(1), cardinality: z.tuple([]) }) }),
]) // oxfmt-ignore

const minutes = (text: string): number => {
  const [, count = '', unit = ''] = /(\d+)([mhd])$/.exec(text) ?? []
  return Number(count) * ({ m: 1, h: 60, d: 1_440 }[unit] ?? NaN)
}

describe('deploy/elastic', () => {
  it('has templates, lifecycle and pipeline as `destinations setup` sends them; else run `npm run deploy`', () => {
    const printed = printElasticFiles()
    for (const [name, text] of printed) expect(read(name), name).toBe(text)
    for (const flavour of ['elasticsearch', 'opensearch'])
      for (const name of readdirSync(join(elasticFolder, flavour)))
        expect(printed.keys()).toContain(`${flavour}/${name}`)
  })

  it('has rules that the detection engine takes, each once, that look back further than they wait', () => {
    const rules = linesOf('detection-rules.ndjson').map((one) => rule.parse(one))
    expect(new Set(rules.map(({ rule_id }) => rule_id)).size).toBe(rules.length)
    for (const { interval, from, name } of rules) expect(minutes(from), name).toBeGreaterThan(minutes(interval))
    for (const topic of ['silence', 'blocks', 'bytes', 'duplicates', 'seals'])
      expect(rules.map(({ rule_id }) => rule_id)).toContain(`proofline-${topic}`)
  })

  it('asks for fields that our mapping indexes and for kinds of records that there are', () => {
    for (const one of linesOf('detection-rules.ndjson').map((line) => rule.parse(line))) {
      expect(unknownIn(one.query), one.name).toEqual([])
      if (one.type === 'threshold') expect(one.threshold.field.filter((field) => !fields.has(field))).toEqual([])
      if (one.type === 'esql') expect(one.query).toMatch(/^FROM proofline-/)
    }
    expect(Object.keys(problems).filter((code) => code.endsWith('_conflict')).length).toBeGreaterThan(2) // what `*_conflict` is for
    expect(unknownIn('proofline.nothing : 1')).toEqual(['proofline.nothing'])
    const asked = [...read('opensearch-monitors.json').matchAll(/"((?:event|proofline|file)\.[a-z_.]+)"/g)]
    expect(asked.length).toBeGreaterThan(20)
    for (const [, name = ''] of asked) expect(isDataset(name) || fields.has(name), name).toBe(true)
  })

  it('has a dashboard whose panels, fields and index pattern are there', () => {
    const objects = linesOf('dashboard.ndjson').map((one) =>
      z
        .object({
          id: z.string(),
          type: z.enum(['index-pattern', 'visualization', 'dashboard']),
          attributes: z.record(z.string(), z.unknown()),
          references: z.array(z.object({ name: z.string(), type: z.string(), id: z.string() })),
        })
        .parse(one),
    )
    const ids = new Set(objects.map(({ type, id }) => `${type}/${id}`))
    expect(ids.size).toBe(objects.length)
    for (const { references } of objects) for (const { type, id } of references) expect(ids).toContain(`${type}/${id}`)
    for (const { type, attributes, id } of objects) {
      if (type !== 'visualization') continue
      const state = JSON.parse(String(attributes['visState'])) as { aggs: { params: { field?: string } }[] }
      for (const { params } of state.aggs) if (params.field !== undefined) expect(fields, id).toContain(params.field)
      expect(unknownIn(JSON.stringify(attributes['kibanaSavedObjectMeta']).replace(/indexRefName.*/, '').replaceAll('\\', '').replace(/.*query":{"query":"/, '')), id).toEqual([]) // oxfmt-ignore
    }
    const [dashboard] = objects.filter(({ type }) => type === 'dashboard')
    const panels = JSON.parse(String(dashboard?.attributes['panelsJSON'])) as { panelRefName: string }[]
    expect(panels.map(({ panelRefName }) => panelRefName)).toEqual(dashboard?.references.map(({ name }) => name))
    // Unit and integration are never added up: what shows runs or files of one names it.
    for (const { attributes } of objects)
      if (
        /proofline\.(?:seal|coverage)\\*"/.test(JSON.stringify(attributes)) &&
        !String(attributes['title']).includes('count')
      )
        expect(JSON.stringify(attributes)).toMatch(/test_type/)
  })
})
