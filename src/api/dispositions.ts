import { z } from 'zod'
import { dispositionVerdicts } from '../record/changes.ts'
import { by, listed, listing, page, recorded, recording } from './decisions.ts'
import { nothing, route } from './route.ts'
import { commit, path, recordId, repository, runId, testType, text } from './shapes.ts'

/** What people say on record about what is on record. */

const until = z.iso.date()

const goesUp = (lines: string): boolean => {
  const [first = 0, last = Infinity] = lines.split('-').map(Number)
  return first < last
}

const target = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('lines'), path, lines: z.string().max(40).regex(/^[1-9]\d{0,9}(?:-[1-9]\d{0,9})?$/, '12 or 12-20').refine(goesUp, 'a range of lines goes upwards: 12 or 12-20'), commit: commit.optional() }),
    z.strictObject({ kind: z.literal('file'), path, commit: commit.optional() }),
    z.strictObject({ kind: z.literal('day'), day: until, test_type: testType.optional(), suite: text.optional() }),
    z.strictObject({ kind: z.literal('run'), run: runId }),
    z.strictObject({ kind: z.literal('gate'), id: recordId }),
    z.strictObject({ kind: z.literal('alert'), alert: text }),
    z.strictObject({ kind: z.literal('dead_letter'), destination: text, id: recordId }),
    z.strictObject({ kind: z.literal('deployment'), id: text }),
  ])
  .meta({ id: 'DispositionTarget' }) // oxfmt-ignore
export const targetKinds = ['lines', 'file', 'day', 'run', 'gate', 'alert', 'dead_letter', 'deployment'] as const

export const disposition = z
  .object({
    ...recorded,
    repository: text,
    target,
    subject: z.string().describe('the target in one text'),
    note: text,
    verdict: z.enum(dispositionVerdicts).optional(),
    until: z.string().optional(),
    blob: z.string().optional().describe('of the file: with another one the note holds no more'),
    by,
  })
  .meta({ id: 'Disposition' })
export type DispositionAnswer = z.infer<typeof disposition>

export const dispose = route({
  name: 'dispose',
  method: 'POST',
  path: '/v1/dispositions',
  summary: 'Say on record what is to be thought of lines, a file, a day, a run, a gate, an alert, a dead letter or a deployment; changes no number',
  scope: ['audit', 'operate'],
  open: 'never',
  records: 'no',
  params: nothing,
  query: nothing,
  body: {
    kind: 'json',
    schema: z
      .strictObject({
        repository: repository.describe('`*` for alerts and dead letters, which belong to none'),
        target,
        note: text,
        verdict: z.enum(dispositionVerdicts).optional(),
        until: until.optional().describe('the last day on which it holds'),
        blob: z.string().regex(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/).optional().describe('default: that of the file at the commit of the target'),
      })
      .meta({ id: 'DispositionOffer' }),
  },
  answers: [
    { status: 201, what: 'On record', content: { 'application/json': disposition } },
    { status: 200, what: 'On record before', content: { 'application/json': disposition } },
  ],
  problems: ['integrity', ...recording],
}) // oxfmt-ignore

export const dispositionList = z.object({ ...listed, dispositions: z.array(disposition.extend({ lapsed: z.enum(['until', 'blob']).nullable() })) }).meta({ id: 'Dispositions' }) // oxfmt-ignore
export const listDispositions = route({
  ...listing,
  name: 'listDispositions',
  path: '/v1/dispositions',
  summary: 'What people said on record, newest first',
  query: z.strictObject({ ...page, kind: z.enum(targetKinds).optional(), commit: commit.optional().describe('with `repository`: which notes on its files still hold') }),
  answers: [{ status: 200, what: 'Dispositions', content: { 'application/json': dispositionList } }],
}) // oxfmt-ignore

export const dispositionRoutes = [dispose, listDispositions] as const
