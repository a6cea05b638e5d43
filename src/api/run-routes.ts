import { z } from 'zod'
import { nothing, route } from './route.ts'
import {
  declaration,
  declarationAnswer,
  inventoryAnswer,
  lineMapsAnswer,
  lineMapsQuery,
  partReceipt,
  pushAnswer,
  sealReceipt,
  sealRequest,
  sealWaiting,
} from './runs.ts'
import { partQuery, pushQuery } from './queries.ts'
import { runId } from './shapes.ts'

/** Declare a run, its inventory, its parts, its seal; or all of it in one push. */

/** `PUT` is safe to repeat: the same content again is 200 with the first answer, other content under the same name is 409. */
const first = 'Recorded now'
const again = 'Recorded before with the same content: the first answer again'
const artifact = {
  kind: 'stream',
  types: ['application/octet-stream', 'application/x-ndjson'],
  what: 'The report as the tool wrote it, or coverage events as application/x-ndjson. Content-Encoding identity, gzip or zstd; Content-Digest (RFC 9530, over the bytes as sent) is checked when present',
} as const
const bodyProblems = [
  'media_type_unsupported',
  'body_too_large',
  'body_incomplete',
  'encoding_invalid',
  'digest_mismatch',
  'expansion_limit',
] as const
const reportProblems = [
  'report_empty',
  'report_unrecognized',
  'report_ambiguous',
  'report_invalid',
  'report_contradictory',
  'no_lines',
  'duplicate_key',
  'path_invalid',
  'too_many_lines',
  'too_many_files',
  'too_many_parts',
  'record_too_large',
] as const
/** Why nothing is recorded for now, or not for this identity. */
const stopped = [
  'identity_mismatch',
  'recording_stopped',
  'clock_step',
  'signer_not_current',
  'rollback_detected',
  'storage_full',
  'storage_refused',
] as const

const json = (schema: z.ZodType) => ({ 'application/json': schema })
const twice = (schema: z.ZodType) => [
  { status: 201, what: first, content: json(schema) } as const,
  { status: 200, what: again, content: json(schema) } as const,
]

export const declareRun = route({
  name: 'declareRun',
  method: 'PUT',
  path: '/v1/runs/{run}',
  summary: 'Declare a run; the answer names the inventory and line maps still missing',
  scope: ['push'],
  open: 'never',
  records: 'no',
  params: z.strictObject({ run: runId }),
  query: nothing,
  body: { kind: 'json', schema: declaration },
  answers: twice(declarationAnswer),
  problems: [
    'run_conflict',
    'run_sealed',
    'test_type_mismatch',
    'record_too_large',
    'media_type_unsupported',
    'body_too_large',
    ...stopped,
  ],
})

export const putInventory = route({
  name: 'putInventory',
  method: 'PUT',
  path: '/v1/runs/{run}/inventory',
  summary: "The files of the run's commit with their git blob ids; the first one for a commit stands",
  scope: ['push'],
  open: 'never',
  records: 'no',
  params: z.strictObject({ run: runId }),
  query: nothing,
  body: { kind: 'stream', types: ['application/x-ndjson'], what: 'One {"path","blob"} a line' },
  answers: twice(inventoryAnswer),
  problems: [
    'run_unknown',
    'run_sealed',
    'path_invalid',
    'too_many_files',
    'record_too_large',
    ...bodyProblems,
    ...stopped,
  ],
})

export const putLineMaps = route({
  name: 'putLineMaps',
  method: 'PUT',
  path: '/v1/runs/{run}/line-maps',
  summary: 'What became of the lines of each changed file between two recorded commits; the first for a pair stands',
  scope: ['push'],
  open: 'never',
  records: 'no',
  params: z.strictObject({ run: runId }),
  query: lineMapsQuery,
  body: {
    kind: 'stream',
    types: ['application/x-ndjson'],
    what: 'One {"from":{"path","blob"},"to":{"path","blob"},"hunks":"-3,1+3,2 -9,0+11,4"} a line, or "unmapped":"<why>" for the hunks',
  },
  answers: twice(lineMapsAnswer),
  problems: ['run_unknown', 'inventory_missing', 'too_many_files', 'record_too_large', ...bodyProblems, ...stopped],
})

export const putPart = route({
  name: 'putPart',
  method: 'PUT',
  path: '/v1/runs/{run}/parts',
  summary: 'Send one coverage report of the run',
  scope: ['push'],
  open: 'never',
  records: 'no',
  params: z.strictObject({ run: runId }),
  query: partQuery,
  body: artifact,
  answers: twice(partReceipt),
  problems: [
    'run_unknown',
    'part_conflict',
    'run_sealed',
    'quota_exceeded',
    ...bodyProblems,
    ...reportProblems,
    ...stopped,
  ],
})

export const sealRun = route({
  name: 'sealRun',
  method: 'PUT',
  path: '/v1/runs/{run}/seal',
  summary: 'Close the run with its outcome and test totals',
  scope: ['push'],
  open: 'never',
  records: 'no',
  params: z.strictObject({ run: runId }),
  query: nothing,
  body: { kind: 'json', schema: sealRequest },
  answers: [
    ...twice(sealReceipt),
    { status: 202, what: 'Not ended: shards that `parts` asks for are missing', content: json(sealWaiting) },
  ],
  problems: [
    'run_unknown',
    'seal_conflict',
    'part_open',
    'attempt_mismatch',
    'media_type_unsupported',
    'body_too_large',
    ...stopped,
  ],
})

export const pushRun = route({
  name: 'pushRun',
  method: 'POST',
  path: '/v1/push',
  summary: 'Declaration, one part and seal in one atomic request',
  scope: ['push'],
  open: 'never',
  records: 'no',
  params: nothing,
  query: pushQuery,
  body: artifact,
  answers: twice(pushAnswer),
  problems: [
    'run_conflict',
    'part_conflict',
    'seal_conflict',
    'run_sealed',
    'test_type_mismatch',
    'use_parts',
    'quota_exceeded',
    ...bodyProblems,
    ...reportProblems,
    ...stopped,
  ],
})

export const runRoutes = [declareRun, putInventory, putLineMaps, putPart, sealRun, pushRun] as const
