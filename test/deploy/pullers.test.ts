import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { feedPage, feedQuery } from '../../src/api/records.ts'

/** Pullers that cannot be run here, against what their makers' references say of the fields that are used, and against our own feed. */

const deploy = join(import.meta.dirname, '../../deploy')
const read = (path: string): string => readFileSync(join(deploy, path), 'utf8')
const json = (path: string): unknown => JSON.parse(read(path))

/** "RestApiPoller data connector reference for the Codeless Connector Framework", Microsoft Learn: names, types and bounds. */
const header = z.strictObject({ name: z.string(), format: z.enum(['Integer', 'UnixTimeSeconds']) })
const connection = z.strictObject({
  name: z.string(),
  apiVersion: z.string(),
  type: z.literal('Microsoft.SecurityInsights/dataConnectors'),
  kind: z.literal('RestApiPoller'),
  properties: z.strictObject({
    connectorDefinitionName: z.string(),
    dataType: z.string(),
    dcrConfig: z.strictObject({
      streamName: z.string().startsWith('Custom-'),
      dataCollectionEndpoint: z.string(),
      dataCollectionRuleImmutableId: z.string(),
    }),
    auth: z.strictObject({ type: z.literal('APIKey'), ApiKey: z.string(), ApiKeyName: z.string(), ApiKeyIdentifier: z.string() }), // oxfmt-ignore
    request: z.strictObject({
      apiEndpoint: z.string(),
      httpMethod: z.literal('GET'),
      queryWindowInMin: z.int().min(1),
      retryCount: z.int().min(1).max(6),
      timeoutInSeconds: z.int().min(1).max(180),
      rateLimitQPS: z.int().min(1),
      rateLimitConfig: z.strictObject({
        evaluation: z.strictObject({ checkMode: z.literal('OnlyWhen429') }),
        extraction: z.strictObject({
          source: z.literal('CustomHeaders'),
          headers: z.strictObject({ limit: header, remaining: header, reset: header }),
        }),
        retryStrategy: z.strictObject({ useResetOrRetryAfterHeaders: z.boolean() }),
      }),
      headers: z.record(z.string(), z.string()),
      queryParameters: z.record(z.string(), z.string()),
    }),
    response: z.strictObject({ EventsJsonPaths: z.array(z.string()).min(1), format: z.literal('json') }),
    paging: z.strictObject({
      pagingType: z.enum(['NextPageToken', 'PersistentToken']),
      nextPageTokenJsonPath: z.string(),
      hasNextFlagJsonPath: z.string(),
      nextPageParaName: z.string(),
      pageSizeParameterName: z.string(),
      pageSize: z.int(),
    }),
  }),
})

describe('the connector for Microsoft Sentinel', () => {
  const { properties } = connection.parse(json('sentinel/connection-rule.json'))

  it('asks for parameters that the feed has, and reads members that every page has', () => {
    const { paging, request, response } = properties
    const asked = [...Object.keys(request.queryParameters), paging.nextPageParaName, paging.pageSizeParameterName]
    for (const name of asked) expect(Object.keys(feedQuery.shape)).toContain(name)
    expect(feedQuery.parse({ limit: String(paging.pageSize) }).limit).toBe(paging.pageSize)
    for (const path of [paging.nextPageTokenJsonPath, paging.hasNextFlagJsonPath, ...response.EventsJsonPaths]) {
      const member = feedPage.shape[path.replace('$.', '') as keyof typeof feedPage.shape]
      expect([path, member?.safeParse(undefined).success]).toEqual([path, false]) // there, and never left out
    }
  })

  it('names one stream, one table and columns that fit each other', () => {
    interface Column {
      name: string
      type: string
    }
    const dcr = json('sentinel/dcr.json') as {
      properties: { streamDeclarations: Record<string, { columns: Column[] }>; dataFlows: { streams: string[]; transformKql: string; outputStream: string }[] } // oxfmt-ignore
    }
    const table = json('sentinel/table.json') as { properties: { schema: { name: string; columns: Column[] } } }
    const [flow] = dcr.properties.dataFlows
    const { schema } = table.properties
    expect(flow?.streams).toEqual([properties.dcrConfig.streamName])
    expect(flow?.outputStream).toBe(`Custom-${schema.name}`)
    const given = new Map(dcr.properties.streamDeclarations[properties.dcrConfig.streamName]?.columns.map(({ name, type }) => [name, type])) // oxfmt-ignore
    const projected = (flow?.transformKql.replace('source | project ', '') ?? '').split(', ').map((pair) => pair.split(' = ')) // oxfmt-ignore
    expect(projected.map(([to, from = '']) => ({ name: to, type: given.get(from) }))).toEqual(schema.columns)
    expect(JSON.stringify(json('sentinel/connector-definition.json'))).toContain(`"graphQueriesTableName":"${schema.name}"`) // oxfmt-ignore
  })
})

/** `Feed` of Google's Chronicle API, v1alpha: FeedDetails and GoogleCloudStorageV2Settings. */
it('the feed for Google SecOps has the fields of its reference', () => {
  const feed = z.strictObject({
    displayName: z.string(),
    details: z.strictObject({
      feedSourceType: z.literal('GOOGLE_CLOUD_STORAGE_V2'),
      logType: z.string().regex(/^projects\/.+\/locations\/.+\/instances\/.+\/logTypes\/.+$/),
      assetNamespace: z.string(),
      gcsV2Settings: z.strictObject({
        bucketUri: z.string().startsWith('gs://'),
        sourceDeletionOption: z.enum(['NEVER', 'ON_SUCCESS']),
        maxLookbackDays: z.int(),
      }),
    }),
  })
  expect(feed.safeParse(json('secops/gcs-feed.json')).error).toBeUndefined()
})

describe("Filebeat's inputs", () => {
  interface Input {
    type: string
    program?: string
    cursor?: unknown
    processors: unknown
  }
  const inputs = (parse(read('elastic/pull/filebeat.yml')) as { 'filebeat.inputs': Input[] })['filebeat.inputs']

  it('have the program that conformance runs', () => {
    expect(inputs[0]?.program).toBe(read('elastic/pull/proofline.cel'))
  })

  it('keep of httpjson the last record and not the page: its cursor is kept with the first event of one', () => {
    expect(inputs[1]).toMatchObject({ type: 'httpjson', cursor: { last: { value: '[[.last_event.id]]' } } })
    expect(inputs[1]?.processors).toEqual(inputs[0]?.processors)
  })
})

it('collectors follow the files that `feed --into` writes, and key them by id', () => {
  const vector = parse(read('files/vector.yaml')) as { sources: { proofline: { include: string[] } }; sinks: { elasticsearch: { id_key: string } } } // oxfmt-ignore
  const fluent = parse(read('files/fluent-bit.yaml')) as { pipeline: { inputs: { path: string }[]; outputs: { id_key: string }[] } } // oxfmt-ignore
  const unit = read('files/proofline-feed@.service')
  const folder = /--into (\S+)/.exec(unit)?.[1] ?? ''
  expect(vector.sources.proofline.include).toEqual([`${folder}/*.ndjson`])
  expect(fluent.pipeline.inputs[0]?.path).toBe(`${folder}/*.ndjson`)
  expect([vector.sinks.elasticsearch.id_key, fluent.pipeline.outputs[0]?.id_key]).toEqual(['proofline.id', 'id'])
})
