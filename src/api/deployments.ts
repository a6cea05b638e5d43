import { z } from 'zod'
import { decisions } from '../record/changes.ts'
import { by, dispositions, listed, listing, named, page, recorded, recording, someCommit } from './decisions.ts'
import { nothing, route } from './route.ts'
import { commit, count, recordId, sha256, text } from './shapes.ts'

/** What was deployed where, and which decision stood. */

export const deployment = z
  .object({
    ...recorded,
    repository: text,
    deployment: text,
    environment: text,
    build: text.optional(),
    build_seq: count.optional(),
    commit,
    artifact: sha256.optional(),
    decision: z.enum(decisions).describe('what stood when it was recorded'),
    enforced: z.boolean(),
    gate: recordId.nullable(),
    override: recordId.optional(),
    url: text.optional(),
    deployed_at: z.string().optional().describe('what the client claims'),
    by,
  })
  .meta({ id: 'Deployment' })
export type DeploymentAnswer = z.infer<typeof deployment>

export const putDeployment = route({
  name: 'putDeployment',
  method: 'PUT',
  path: '/v1/deployments/{id}',
  summary: 'Record a deployment with the gate decision that stands',
  scope: ['push', 'operate'],
  open: 'never',
  records: 'no',
  params: z.strictObject({ id: text }),
  query: nothing,
  body: {
    kind: 'json',
    schema: z
      .strictObject({
        ...named,
        environment: text,
        artifact: z
          .string()
          .regex(/^(?:sha256:)?[0-9a-f]{64}$/, 'a SHA-256 in lower-case hex, with or without sha256: before it')
          .transform((digest) => digest.replace('sha256:', ''))
          .meta({ override: ({ jsonSchema }) => Object.assign(jsonSchema, { type: 'string' }) })
          .optional(),
        url: text.optional(),
        deployed_at: z.iso.datetime({ offset: true }).max(40).optional(),
      })
      .meta({ id: 'DeploymentOffer' }),
  },
  answers: [
    { status: 201, what: 'On record', content: { 'application/json': deployment } },
    { status: 200, what: 'On record before, with the decision that stood then', content: { 'application/json': deployment } },
  ],
  problems: ['deployment_conflict', ...recording],
}) // oxfmt-ignore

export const deploymentList = z.object({ ...listed, deployments: z.array(deployment.extend({ dispositions })) }).meta({ id: 'Deployments' }) // oxfmt-ignore
export const listDeployments = route({
  ...listing,
  name: 'listDeployments',
  path: '/v1/deployments',
  summary: 'Deployments with the gate decision that stood, newest first',
  query: z.strictObject({ ...page, commit: someCommit, build: text.optional(), environment: text.optional(), decision: z.enum(decisions).optional() }),
  answers: [{ status: 200, what: 'Deployments', content: { 'application/json': deploymentList } }],
}) // oxfmt-ignore

export const deploymentRoutes = [putDeployment, listDeployments] as const
