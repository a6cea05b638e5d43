import { z } from 'zod'
import { noBody, route } from './route.ts'
import { count, generation, ledger, seq, sha256, whole } from './shapes.ts'

/** Closed days as files, for who pulls files; they are also the archive. */

const day = z.iso.date()

export const closedDay = z.object({
  day,
  first_seq: seq.describe('the records [first_seq, size) are the day’s'),
  size: seq,
  bytes: count.describe('of all its files'),
  manifest_sha256: sha256.describe('of the payload of its manifest; the next day’s manifest names it as `previous`'),
  expired: z.boolean().describe('its files were deleted when its retention had passed'),
})
export type ClosedDay = z.infer<typeof closedDay>

const json = (schema: z.ZodType) => ({ 'application/json': schema })

export const listDays = route({
  name: 'listDays',
  method: 'GET',
  path: '/v1/feed/{ledger}/days',
  summary: 'Days of a ledger that are closed, archived and verified, oldest first',
  scope: ['feed', 'audit'],
  open: 'never',
  records: 'no',
  params: z.strictObject({ ledger }),
  query: z.strictObject({
    after: day.optional().describe('days behind this one'),
    limit: whole(1, 1_000).default(100).describe('100 unless told'),
    generation,
  }),
  body: noBody,
  answers: [
    {
      status: 200,
      what: 'The days',
      content: json(z.object({ days: z.array(closedDay), next: z.string().nullable().describe('URL of the next page; null when no day is left') })),
    },
  ],
  problems: [],
}) // oxfmt-ignore

export const getDayFile = route({
  name: 'getDayFile',
  method: 'GET',
  path: '/v1/feed/{ledger}/days/{day}/{file}',
  summary: 'A file of a closed day: its records as NDJSON in zstd frames, their leaf hashes, its signed manifest',
  scope: ['feed', 'audit'],
  open: 'never',
  records: 'summed',
  params: z.strictObject({ ledger, day, file: z.enum(['records.ndjson.zst', 'leaves.bin', 'manifest.json']) }),
  query: z.strictObject({ generation }),
  body: noBody,
  answers: [
    {
      status: 200,
      what: 'The bytes, which never change',
      content: {
        'application/octet-stream': z.string().describe('bytes').meta({ override: { format: 'binary' } }),
        'application/json': z.looseObject({}).describe('the manifest, a DSSE envelope'),
      },
    },
    { status: 304, what: 'Unchanged' },
  ],
  problems: ['expired', 'storage_refused'],
}) // oxfmt-ignore

export const dayRoutes = [listDays, getDayFile] as const
