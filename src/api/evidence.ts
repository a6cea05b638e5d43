import { z } from 'zod'
import { route, nothing } from './route.ts'
import { commit, instant, path, repository, text } from './shapes.ts'

/** What an auditor takes home. */

const stratifier = z.enum(['test_type', 'repository', 'suite', 'ref', 'outcome'])

export const evidenceQuestion = z
  .strictObject({
    from: instant.describe('the period begins here'),
    to: instant.optional().describe('and ends before this; the newest record unless told'),
    repository: repository.optional().describe('only this one; needed by a credential that is bound to repositories'),
    path: path.optional().describe('the history of this file; needs repository'),
    lines: z
      .string()
      .regex(/^[1-9][0-9]{0,9}(?:-[1-9][0-9]{0,9})?$/, 'a line or a range, 12 or 12-20')
      .optional(),
    commit: commit.optional(),
    build: text.optional(),
    deployment: text.optional().describe('the commit that was deployed, with all that was decided about it'),
    sample: z.int().min(0).max(1_000).default(25).describe('how many runs are drawn'),
    seed: text.default('root').describe('what the sample is drawn from; root: nobody chooses'),
    stratify: z.array(stratifier).max(5).default(['test_type', 'repository']),
    as_of: z
      .string()
      .regex(/^[a-z]+:\d{1,16}(?:,[a-z]+:\d{1,16}){0,3}$/)
      .optional()
      .describe('ledger sizes, as a pack names them: the same question then gives the same pack'),
  })
  .meta({ id: 'EvidenceQuestion' })
export type EvidenceQuestion = z.output<typeof evidenceQuestion>

const zip = z
  .string()
  .describe('the pack: docs/evidence.md')
  .meta({ override: { format: 'binary' } })

export const makeEvidence = route({
  name: 'makeEvidence',
  method: 'POST',
  path: '/v1/evidence',
  summary: 'An evidence pack for a period and a selection: a zip that is verified without this service',
  scope: ['audit'],
  open: 'never',
  records: 'before',
  params: nothing,
  query: nothing,
  body: { kind: 'json', schema: evidenceQuestion },
  answers: [{ status: 200, what: 'The pack; it ends early when something stored fails its proof', content: { 'application/zip': zip } }], // oxfmt-ignore
  problems: ['integrity', 'signer_not_current', 'storage_refused'],
})

export const evidenceRoutes = [makeEvidence] as const
