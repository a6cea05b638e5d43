import { z } from 'zod'
import { noBody, nothing, route } from './route.ts'
import { count, ledgerName, path, repository, seq, text, time } from './shapes.ts'

/** Archive, retention and holds, as an operator sees them. */

const json = (schema: z.ZodType) => ({ 'application/json': schema })
const stopped = ['recording_stopped', 'clock_step', 'signer_not_current', 'rollback_detected'] as const

export const archiveStatus = z.object({
  retention: z.object({
    online: count.describe('months in the database'),
    kept: z.union([count, z.literal('forever')]).describe('months in all'),
    detach: z.boolean(),
    expire: z.boolean(),
  }),
  ledgers: z.array(
    z.object({
      ledger: ledgerName,
      days: count.describe('in the archive, read back and verified'),
      archived_to: z.iso.date().nullable().describe('the newest of them'),
      database_from: seq.describe('records from here on are in the database; those before it are read from the archive'),
      earliest: seq.describe('the first record behind all that has expired'),
      expired_days: count,
      expirable: z.object({ days: count, records: count }).describe('what has passed its retention and is under no hold'),
      held: z.object({ days: count, holds: z.array(z.string()) }).describe('what would be, but for a hold'),
      failure: z.string().nullable().describe('why the last try did not come to its end'),
    }),
  ),
  months: z.array(z.object({ test_type: z.string(), oldest: z.string().nullable(), due: count })).describe('oldest month in the database, and how many may leave it'),
  failures: z.array(z.object({ subject: z.string(), reason: z.string() })).describe('what else the last try did not come to the end of: months, holds, expiry, or clocks that disagree'),
}) // oxfmt-ignore
export type ArchiveStatus = z.infer<typeof archiveStatus>

export const getArchive = route({
  name: 'getArchive',
  method: 'GET',
  path: '/v1/archive',
  summary: 'How far days are archived, months have left the database, and what has passed its retention',
  scope: ['operate', 'audit'],
  open: 'never',
  records: 'no',
  params: nothing,
  query: nothing,
  body: noBody,
  answers: [{ status: 200, what: 'How it stands', content: json(archiveStatus) }],
  problems: [],
})

export const runArchive = route({
  name: 'runArchive',
  method: 'POST',
  path: '/v1/archive/run',
  summary: 'Archives closed days now; for `retention` also moves months and, where the configuration says so, deletes what has expired',
  scope: ['operate'],
  open: 'never',
  records: 'no',
  params: nothing,
  query: nothing,
  body: { kind: 'json', schema: z.strictObject({ what: z.enum(['archive', 'retention']), reason: text.optional() }) },
  answers: [{ status: 200, what: 'How it stands then', content: json(archiveStatus) }],
  problems: [...stopped, 'storage_refused', 'storage_full', 'integrity'],
}) // oxfmt-ignore

const day = z.iso.date()

export const hold = z.object({
  hold: z.string(),
  state: z.enum(['active', 'release_asked', 'released']),
  repository: z.string(),
  path: z.string().nullable(),
  from: day.nullable(),
  to: day.nullable(),
  reason: z.string(),
  ticket: z.string(),
  by: z.string(),
  at: time,
  days: count.describe('days in the archive that hold what it names'),
  asked_by: z.string().nullable().describe('who asked for its release; somebody else has to confirm'),
  released_by: z.string().nullable(),
  released_at: time.nullable(),
}) // oxfmt-ignore
export type HoldTold = z.infer<typeof hold>
export const holdList = z.object({ holds: z.array(hold) })

export const listHolds = route({
  name: 'listHolds',
  method: 'GET',
  path: '/v1/holds',
  summary: 'Holds, newest first',
  scope: ['operate', 'audit'],
  open: 'never',
  records: 'no',
  params: nothing,
  query: z.strictObject({ all: z.enum(['true', 'false']).default('false').describe('also those that were released') }),
  body: noBody,
  answers: [{ status: 200, what: 'The holds', content: json(holdList) }],
  problems: [],
})

export const addHold = route({
  name: 'addHold',
  method: 'POST',
  path: '/v1/holds',
  summary:
    'Keeps every archived day that holds records of a repository, and their artifacts, whatever the retention says',
  scope: ['operate'],
  open: 'never',
  records: 'no',
  params: nothing,
  query: nothing,
  body: {
    kind: 'json',
    schema: z
      .strictObject({
        repository,
        path: path.optional().describe('what it is about; whole days are kept all the same'),
        from: day.optional().describe('first day, UTC; without it from the first'),
        to: day.optional().describe('last day; without it for all time to come'),
        reason: text,
        ticket: text,
      })
      .refine(({ from, to }) => from === undefined || to === undefined || from <= to, 'from is behind to'),
  },
  answers: [{ status: 201, what: 'It is in force', content: json(hold) }],
  problems: [...stopped],
})

export const releaseHold = route({
  name: 'releaseHold',
  method: 'POST',
  path: '/v1/holds/{hold}/release',
  summary: 'Asks for the release of a hold; by somebody else than who asked, confirms it',
  scope: ['operate'],
  open: 'never',
  records: 'no',
  params: z.strictObject({ hold: z.string().max(40) }),
  query: nothing,
  body: { kind: 'json', schema: z.strictObject({ reason: text }) },
  answers: [{ status: 200, what: 'How it stands now', content: json(hold) }],
  problems: ['second_person', ...stopped],
})

export const archiveRoutes = [getArchive, runArchive, listHolds, addHold, releaseHold] as const
