import { z } from 'zod'
import { noBody, nothing, route } from './route.ts'
import { ledger, seq, text, time } from './shapes.ts'

/** The keys that sign: which there are, how one follows another (docs/signing.md). */

const owner = z
  .union([ledger, z.literal('statement')])
  .describe('a ledger, or statement: the key of all that is signed and no checkpoint')
const vkey = z.string().min(1).max(512).describe('a verifier key: name+id+base64')

export const keptKey = z.object({
  of: z.string().describe('org/ledger, or org/statement'),
  vkey,
  id: z.string().describe('the 8 hex digits of it'),
  from: seq.nullable().describe('smallest size that it signs; null: from the beginning'),
  until: seq.nullable().describe('it signs sizes below this; null: it is not retired'),
  state: z.enum(['signing', 'beside', 'retired']).describe('beside: it signs together with the one that follows it'),
  recorded_at: time.nullable(),
})
export type KeptKeyTold = z.infer<typeof keptKey>

export const keyList = z.object({ guard: z.string(), keys: z.array(keptKey) })
export const keyChange = z.object({
  of: z.string(),
  changed: z.boolean().describe('false: it stood like that before'),
  keys: z.array(keptKey),
})

const json = (schema: z.ZodType) => ({ 'application/json': schema })
const command = { method: 'POST', scope: ['operate'], open: 'never', records: 'no', query: nothing, params: z.strictObject({ of: owner }) } as const // oxfmt-ignore

export const listKeys = route({
  method: 'GET',
  scope: ['operate', 'audit'],
  open: 'never',
  records: 'no',
  name: 'listKeys',
  path: '/v1/keys',
  summary: 'Every verifier key there ever was, with the sizes for which it is to be believed',
  params: nothing,
  query: nothing,
  body: noBody,
  answers: [{ status: 200, what: 'The keys, oldest first', content: json(keyList) }],
  problems: ['signer_not_current'],
})

export const rotateKey = route({
  ...command,
  name: 'rotateKey',
  path: '/v1/keys/{of}/rotate',
  summary: 'A new key signs beside the newest one, from the size that was signed last on',
  body: {
    kind: 'json',
    schema: z.strictObject({
      replaces: vkey.describe('the newest key as the caller knows it; the same again changes nothing'),
      at_once: z.boolean().default(false).describe('retires it in the same step: for a key that was stolen'),
      vkey: vkey.optional().describe('the new key, where signer.command signs'),
      reason: text,
    }),
  },
  answers: [{ status: 200, what: 'The keys of this owner as they are now', content: json(keyChange) }],
  problems: ['key_conflict', 'recording_stopped'],
})

export const retireKey = route({
  ...command,
  name: 'retireKey',
  path: '/v1/keys/{of}/retire',
  summary: 'A key that was followed by another signs no more, from the next size or a later one on',
  body: {
    kind: 'json',
    schema: z.strictObject({
      vkey,
      until: seq.optional().describe('the first size that it does not sign; default: the next one'),
      reason: text,
    }),
  },
  answers: [{ status: 200, what: 'The keys of this owner as they are now', content: json(keyChange) }],
  problems: ['key_conflict', 'recording_stopped'],
})

export const keyRoutes = [listKeys, rotateKey, retireKey]
