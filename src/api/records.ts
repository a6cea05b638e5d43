import { z } from 'zod'
import { recordKinds } from '../record/record.ts'
import { noBody, nothing, route } from './route.ts'
import {
  checkpoint,
  generation,
  instant,
  ledger,
  recordId,
  repository,
  seq,
  sha256,
  text,
  time,
  whole,
} from './shapes.ts'

/** What SIEMs and auditors read: the feed, records and their proofs, artifacts, the log itself. */

const kinds = z
  .string()
  .transform((value) => value.split(','))
  .pipe(z.array(z.enum(recordKinds)).min(1).max(recordKinds.length))
  .meta({ override: { type: 'string', description: 'one kind or several, separated by commas' } })

export const maxPage = 10_000

export const feedQuery = z.strictObject({
  cursor: z.string().max(100).optional().describe('next_cursor of an earlier page; or the word earliest or latest'),
  after: z
    .union([whole(-1, Number.MAX_SAFE_INTEGER - 1), recordId])
    .optional()
    .describe('the last record that the caller has: its seq, -1 for none, or its id'),
  generation: generation.describe('of the ledger that `after` is a seq of; the one that is recorded in unless told'),
  since: instant.optional().describe('recorded_at from here on; only a start, a cursor goes first'),
  until: instant.optional().describe('recorded_at before this; clamped to what is published'),
  limit: whole(1, maxPage).default(1_000).describe('records a page; 1000 unless told'),
  wait: whole(0, 30).default(0).describe('seconds to wait when there is nothing new; 0 unless told'),
  kind: kinds.optional(),
  repository: repository.optional(),
  consumer: text.optional().describe('a name under which an operator sees how far this caller is'),
})
export type FeedQuery = z.infer<typeof feedQuery>

export const feedPage = z
  .object({
    records: z.array(z.looseObject({ id: recordId, seq, recorded_at: time })),
    next_cursor: z.string(),
    next: z.string().describe('URL of the next page'),
    has_more: z
      .boolean()
      .describe('whether there is more right now; true on a page of exactly `limit` records, where it means: ask'),
    published: seq
      .optional()
      .describe(
        'number of records that a signed checkpoint covers; absent from a page of exactly `limit` records, like all that follow',
      ),
    earliest: seq.optional().describe('first seq that can be read'),
    checkpoint: checkpoint.nullable().optional(),
    until: time.nullable().optional().describe('effective end of the window; null without one'),
  })
  .meta({ id: 'FeedPage' })
export type FeedPage = z.infer<typeof feedPage>

const ndjson = z.string().describe('record bytes, one a line')
const bytes = z
  .string()
  .describe('bytes')
  .meta({ override: { format: 'binary' } })
const plain = (schema: z.ZodType) => ({ 'text/plain': schema })
const octets = { 'application/octet-stream': bytes }
const notModified = { status: 304, what: 'Unchanged' } as const

export const readFeed = route({
  name: 'readFeed',
  method: 'GET',
  path: '/v1/feed/{ledger}',
  summary: 'Published records in the order of seq, from a cursor, a seq or a time on',
  scope: ['feed'],
  open: 'never',
  records: 'summed',
  params: z.strictObject({ ledger }),
  query: feedQuery,
  body: noBody,
  answers: [
    {
      status: 200,
      what: 'A page. With exactly `limit` records it never changes: strong ETag, long private caching. A shorter one is not to be stored',
      content: { 'application/json': feedPage, 'application/x-ndjson': ndjson },
    },
    notModified,
  ],
  problems: ['start_required', 'cursor_invalid', 'cursor_expired', 'integrity'],
})

export const getRecord = route({
  name: 'getRecord',
  method: 'GET',
  path: '/v1/records/{id}',
  summary: 'One published record: the bytes that were hashed into the log',
  scope: ['feed', 'audit'],
  open: 'never',
  records: 'summed',
  params: z.strictObject({ id: recordId }),
  query: nothing,
  body: noBody,
  answers: [
    {
      status: 200,
      what: 'The record',
      content: { 'application/json': z.looseObject({ id: recordId, seq, recorded_at: time }) },
    },
    notModified,
  ],
  problems: ['integrity', 'expired'],
})

export const getProof = route({
  name: 'getProof',
  method: 'GET',
  path: '/v1/records/{id}/proof',
  summary: 'Inclusion of the record in the newest checkpoint, as C2SP tlog-proof',
  scope: ['feed', 'audit'],
  open: 'never',
  records: 'summed',
  params: z.strictObject({ id: recordId }),
  query: nothing,
  body: noBody,
  answers: [{ status: 200, what: 'The proof', content: plain(z.string()) }],
  problems: ['integrity', 'expired'],
})

export const getArtifact = route({
  name: 'getArtifact',
  method: 'GET',
  path: '/v1/artifacts/{sha256}',
  summary: 'The bytes that a part was made from, whole; with Content-Encoding zstd for who accepts it',
  scope: ['audit'],
  open: 'never',
  records: 'before',
  params: z.strictObject({ sha256 }),
  query: nothing,
  body: noBody,
  answers: [{ status: 200, what: 'The bytes', content: octets }],
  problems: ['integrity', 'storage_refused'],
})

const log = { org: z.string().regex(/^[a-z0-9-]{1,40}$/), ledger }
const logRoute = {
  method: 'GET',
  scope: ['feed', 'audit'],
  open: 'published_log',
  records: 'no',
  query: nothing,
  body: noBody,
} as const

const tileLevel = z.string().regex(/^(?:[0-9]|[1-5][0-9]|6[0-3])$/)
/** `x001/x234/067`, or with `.p/<width>` behind it: how C2SP tlog-tiles writes the place of a tile. */
const tilePath = z.string().regex(/^(?:x[0-9]{3}\/){0,5}[0-9]{3}(?:\.p\/[1-9][0-9]{0,2})?$/, 'a tile as in tlog-tiles')

export const getCheckpoint = route({
  ...logRoute,
  name: 'getCheckpoint',
  path: '/log/{org}/{ledger}/checkpoint',
  summary: 'The newest signed checkpoint of a ledger',
  params: z.strictObject(log),
  answers: [{ status: 200, what: 'A signed note', content: plain(checkpoint) }],
  problems: [],
})

export const getEntries = route({
  ...logRoute,
  records: 'summed',
  name: 'getEntries',
  path: '/log/{org}/{ledger}/tile/entries/{tile*}',
  summary: 'An entry bundle of C2SP tlog-tiles: the record bytes',
  params: z.strictObject({ ...log, tile: tilePath }),
  answers: [{ status: 200, what: 'The bundle', content: octets }],
  problems: ['integrity', 'expired'],
})

export const getTile = route({
  ...logRoute,
  name: 'getTile',
  path: '/log/{org}/{ledger}/tile/{level}/{tile*}',
  summary: 'A hash tile of C2SP tlog-tiles',
  params: z.strictObject({ ...log, level: tileLevel, tile: tilePath }),
  answers: [{ status: 200, what: 'The hashes', content: octets }],
  problems: ['integrity'],
})

/** A ledger that was closed with a loss is read under its own name; the next generation of it has a number behind it. */
const laterLog = { ...log, generation: z.string().regex(/^(?:[2-9]|[1-9][0-9]{1,2})$/, 'the number of a generation') }

export const getLaterCheckpoint = route({
  ...getCheckpoint,
  name: 'getLaterCheckpoint',
  path: '/log/{org}/{ledger}/{generation}/checkpoint',
  summary: 'The same of a later generation',
  params: z.strictObject(laterLog),
})

export const getLaterEntries = route({
  ...getEntries,
  name: 'getLaterEntries',
  path: '/log/{org}/{ledger}/{generation}/tile/entries/{tile*}',
  summary: 'The same of a later generation',
  params: z.strictObject({ ...laterLog, tile: tilePath }),
})

export const getLaterTile = route({
  ...getTile,
  name: 'getLaterTile',
  path: '/log/{org}/{ledger}/{generation}/tile/{level}/{tile*}',
  summary: 'The same of a later generation',
  params: z.strictObject({ ...laterLog, level: tileLevel, tile: tilePath }),
})

export const recordRoutes = [
  readFeed,
  getRecord,
  getProof,
  getArtifact,
  getCheckpoint,
  getEntries,
  getTile,
  getLaterCheckpoint,
  getLaterEntries,
  getLaterTile,
] as const
