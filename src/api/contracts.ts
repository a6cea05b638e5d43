import { z } from 'zod'
import { by } from './decisions.ts'
import { noBody, nothing, route } from './route.ts'
import { commit, count, ledgerName, recordId, repository, seq, sha256, text, time, whole } from './shapes.ts'

/** What repositories promised to measure: registered versions, and how they differ. */

const version = z.int().min(1)
const orRepository = repository.describe('`*` is the default of the org, which the others inherit from')

export const contractOffer = z
  .strictObject({
    repository: orRepository,
    text: z
      .string()
      .min(1)
      .max(32_768)
      .refine((value) => value.isWellFormed(), 'well-formed Unicode')
      .describe('the YAML of proofline.contract.yaml'),
    parent: count.describe('the version that this one was made from; 0 for the first'),
    ref: text.optional().describe('the branch that it comes from; needed unless an operator registers it'),
    commit: commit.optional(),
  })
  .meta({ id: 'ContractOffer' })

export const contractMeta = z.object({
  repository: text,
  contract_version: version,
  contract: sha256.describe('digest of the contract in its canonical form: what seals name'),
  parent: sha256.nullable(),
  ref: text.optional(),
  commit: commit.optional(),
  by,
  ledger: ledgerName,
  id: recordId,
  seq,
  recorded_at: time,
})
export type ContractMeta = z.infer<typeof contractMeta>

export const contractAnswer = contractMeta.extend({ text: z.string() }).meta({ id: 'Contract' })
export type ContractAnswer = z.infer<typeof contractAnswer>

export const contractsAnswer = z
  .object({
    repository: text,
    standing: contractAnswer.nullable().describe('the newest version; null for none'),
    org_default: contractAnswer.nullable(),
    effective: z
      .record(z.string(), z.unknown())
      .nullable()
      .describe('what holds: the one with what it inherits from the other'),
    versions: z.array(contractMeta).describe('newest first'),
    has_more: z.boolean(),
  })
  .meta({ id: 'Contracts' })
export type ContractsAnswer = z.infer<typeof contractsAnswer>

const scalar = z.union([z.string(), z.number(), z.boolean()]).nullable()
export const contractDifference = z
  .object({
    from: sha256,
    to: sha256,
    changes: z.array(z.object({ path: z.string(), from: scalar, to: scalar })),
    text: z.string().describe('a line a change'),
  })
  .meta({ id: 'ContractDifference' })
export type ContractDifference = z.infer<typeof contractDifference>

const readers = ['push', 'feed', 'audit', 'operate'] as const
const json = (schema: z.ZodType) => ({ 'application/json': schema })

export const putContract = route({
  name: 'putContract',
  method: 'PUT',
  path: '/v1/contracts',
  summary: 'Register the next version of the contract of a repository',
  scope: ['push', 'operate'],
  open: 'never',
  records: 'no',
  params: nothing,
  query: nothing,
  body: { kind: 'json', schema: contractOffer },
  answers: [
    { status: 201, what: 'Registered now', content: json(contractAnswer) },
    {
      status: 200,
      what: 'This very contract stands already, or was registered by this request before',
      content: json(contractAnswer),
    },
  ],
  problems: [
    'contract_invalid',
    'contract_conflict',
    'ref_not_tracked',
    'identity_mismatch',
    'media_type_unsupported',
    'body_too_large',
    'recording_stopped',
    'clock_step',
    'signer_not_current',
    'rollback_detected',
  ],
})

export const listContracts = route({
  name: 'listContracts',
  method: 'GET',
  path: '/v1/contracts',
  summary: 'The contract that stands for a repository, the default of the org, and the versions before',
  scope: readers,
  open: 'never',
  records: 'summed',
  params: nothing,
  query: z.strictObject({
    repository: orRepository,
    before: whole(1, Number.MAX_SAFE_INTEGER - 1)
      .optional()
      .describe('only versions before this one'),
    limit: whole(1, 100).default(20).describe('versions; 20 unless told'),
  }),
  body: noBody,
  answers: [{ status: 200, what: 'Contracts', content: json(contractsAnswer) }],
  problems: ['integrity'],
})

export const getContract = route({
  name: 'getContract',
  method: 'GET',
  path: '/v1/contracts/{sha256}',
  summary: 'A contract by its digest, as a seal names it',
  scope: readers,
  open: 'never',
  records: 'summed',
  params: z.strictObject({ sha256 }),
  query: nothing,
  body: noBody,
  answers: [
    {
      status: 200,
      what: 'The newest registration of this contract that the caller may see',
      content: json(contractAnswer),
    },
  ],
  problems: ['integrity'],
})

export const diffContracts = route({
  name: 'diffContracts',
  method: 'GET',
  path: '/v1/contracts/{sha256}/difference',
  summary: 'What another contract changes of this one',
  scope: readers,
  open: 'never',
  records: 'summed',
  params: z.strictObject({ sha256 }),
  query: z.strictObject({ to: sha256 }),
  body: noBody,
  answers: [
    {
      status: 200,
      what: 'The difference in meaning: comments and order do not matter',
      content: json(contractDifference),
    },
  ],
  problems: ['integrity'],
})

export const contractRoutes = [putContract, listContracts, getContract, diffContracts] as const
