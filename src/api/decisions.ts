import { z } from 'zod'
import { dispositionVerdicts } from '../record/changes.ts'
import { weaknessCodes } from '../record/identity.ts'
import { noBody, nothing } from './route.ts'
import { commit, count, recordId, repository, text, time, whole } from './shapes.ts'

/** The shapes that gates, deployments and dispositions share. */

export const by = z.object({
  method: z.string(),
  subject: z.string(),
  issuer: z.string().optional(),
  actor_id: z.string().optional(),
  weak: z
    .array(z.enum(weaknessCodes))
    .optional()
    .describe('what was weak about the credential, beside what its method lacks by itself'),
})
export const named = { repository, commit: commit.optional(), build: text.optional(), ref: text.optional() }
export const recorded = { id: recordId, seq: count, recorded_at: time }
export const recording = ['recording_stopped', 'clock_step', 'signer_not_current', 'rollback_detected'] as const
const when = z.string().min(10).max(40).describe('a day (2026-11-23, UTC) or an RFC 3339 time with an offset')

export const shownDisposition = z
  .object({
    id: recordId,
    recorded_at: time,
    note: z.string(),
    verdict: z.enum(dispositionVerdicts).nullable(),
    until: z.string().nullable(),
    by,
    lapsed: z.enum(['until', 'blob']).optional().describe('why it holds no more'),
  })
  .meta({ id: 'ShownDisposition' })
export const dispositions = z.array(shownDisposition)

export const page = {
  repository: repository.optional().describe('default: all that the credential may see'),
  from: when.optional().describe('recorded_at from here on'),
  to: when.optional().describe('recorded_at before this'),
  as_of: z.string().max(100).optional().describe('sizes as an answer prints them, or a time; default: now'),
  before: recordId.optional().describe('the id of the last one of the page before'),
  limit: whole(1, 200).default(50).describe('50 unless told'),
}
export const someCommit = z.string().regex(/^[0-9a-f]{7,64}$/, 'a commit, or at least 7 digits of one').optional() // oxfmt-ignore
export const listed = { as_of: z.string(), rules: z.string(), has_more: z.boolean() }
export const listing = {
  method: 'GET',
  scope: ['audit'],
  open: 'never',
  records: 'summed',
  params: nothing,
  body: noBody,
  problems: ['history_behind', 'integrity'],
} as const
