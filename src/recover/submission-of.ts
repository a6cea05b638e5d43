import { hash } from 'node:crypto'
import type { Declaration, Shard } from '../api/runs.ts'
import { contractKey } from '../admission/contract-versions.ts'
import { holdKey } from '../archive/hold-store.ts'
import { settingsKey } from '../archive/retention-store.ts'
import { type PartParameters, declarationDigest, digestOf, keys, partDigest } from '../admission/run.ts'
import { unknownDigest } from '../ledger/decide.ts'
import { changeKeys, deploymentDigest } from '../record/change-keys.ts'
import type {
  DeploymentFields,
  DispositionFields,
  GateFields,
  OverrideFields,
  ReportFields,
} from '../record/changes.ts'
import type { FileAt } from '../record/line-map.ts'
import type { RecordKind } from '../record/record.ts'
import { alertKey } from '../watch/alert-store.ts'

/**
 * Under which key a record was submitted, and what was asserted with it, read off the record itself. What a client asserted does not follow
 * from every record; then the digest is the unknown one, which every digest equals: the key is bound to the record, and the first one wins.
 */
export interface SubmissionOf {
  /** Of a record that is one of several: the key that they share; slices of a part are numbered by whoever counts them. */
  key: string
  digest: Uint8Array
}

export interface RecoveredRecord {
  id: string
  seq: number
  recordedAt: number
  kind: RecordKind
  fields: Readonly<Record<string, unknown>>
}

/** Undefined for coverage records, which are slices of a part. */
export function submissionOf({ id, recordedAt, kind, fields }: RecoveredRecord): SubmissionOf | undefined {
  const text = (name: string): string => String(fields[name])
  const at = (name: string): Record<string, unknown> => toObject(fields[name])
  const unknown = (key: string): SubmissionOf => ({ key, digest: unknownDigest })
  switch (kind) {
    case 'coverage':
      return undefined
    case 'run':
      return { key: keys.run(text('run')), digest: runDigest(fields) }
    case 'part': {
      const parameters = { ...at('parameters'), shard: fields['shard'] as Shard | undefined } as PartParameters // written by partPayload
      return { key: keys.part(text('run'), text('part')), digest: partDigest(text('artifact_sha256'), parameters) }
    }
    case 'seal':
      return unknown(keys.end(text('run'))) // a seal says what came out, not which of it was asked for
    case 'abandonment':
      return { key: keys.end(text('run')), digest: digestOf('abandoned') }
    case 'inventory':
      return unknown(keys.inventory(text('repository'), text('commit')))
    case 'linemap':
      // The map leads to the record's own path and blob (lineMapPayloads).
      return unknown(keys.lineMap(text('repository'), { from: at('from') as unknown as FileAt, to: { path: text('path'), blob: text('blob') } })) // oxfmt-ignore
    case 'comparison':
      return unknown(keys.comparison(text('repository'), { from: String(at('from')['commit']), to: text('commit') }))
    case 'build':
      return { key: keys.build(text('repository'), text('build')), digest: digestOf({ repository: text('repository'), build: text('build') }) } // oxfmt-ignore
    case 'contract':
      return { key: contractKey(text('repository'), Number(fields['contract_version'])), digest: Buffer.from(text('contract'), 'hex') } // oxfmt-ignore
    case 'rejection': {
      const digest = rejectionDigest(fields)
      return { key: `reject:${digest.toString('hex')}`, digest }
    }
    case 'gate':
      return unknown(
        fields['overrides'] === undefined
          ? changeKeys.gate(fields as unknown as GateFields)
          : changeKeys.override(fields as unknown as OverrideFields),
      ) // by gatePayload, overridePayload
    case 'deployment': {
      const deployment = fields as unknown as DeploymentFields // by deploymentPayload
      return { key: changeKeys.deployment(deployment), digest: deploymentDigest(deployment) }
    }
    case 'disposition':
      return unknown(changeKeys.disposition(fields as unknown as DispositionFields)) // by dispositionPayload
    case 'report':
      return unknown(changeKeys.report(fields as unknown as ReportFields)) // by reportPayload
    case 'alert':
      return named(alertKey(text('alert'), Number(fields['n'])))
    case 'loss':
      return named(`loss:${text('of')}`)
    case 'heartbeat':
      return named(`heartbeat:${Math.floor(recordedAt / (Number(fields['interval_s']) * 1_000_000))}`)
    case 'access':
      return { key: `access:${text('access')}`, digest: Buffer.alloc(32) }
    case 'key':
      return { key: keyOfKey(fields), digest: unknownDigest }
    case 'configuration':
      return unknown(`configuration:${text('node')}/${text('version')}/${text('configuration_digest')}`)
    case 'hold':
      return unknown(holdKey(text('hold'), text('act'), text('by'))) // by these keys its row is found to be missing
    case 'retention':
      return unknown(fields['act'] === 'settings' ? `${settingsKey}recovered/${id}` : `recovered:${id}`)
    case 'command':
      // What was commanded without the service is offered by its row until it is found under its key; any other is offered once.
      return typeof fields['command_id'] === 'string'
        ? { key: `command:${fields['command_id']}`, digest: Buffer.alloc(32) }
        : unknown(`recovered:${id}`)
    case 'reconciliation':
      return unknown(`recovered:${id}`) // a comparison's or a step's key is offered once; what repeats is told again
  }
}

/** A declaration, but for what differs between two tries of one job and for lists that lie in the artifact store. */
function runDigest(fields: Readonly<Record<string, unknown>>): Uint8Array {
  const { schema: _, kind: _kind, ledger: _ledger, run: _run, build_seq: _seq, by: _by, configuration_digest: configured, configuration, id: _id, seq: _at, recorded_at: _time, ...asserted } = fields // oxfmt-ignore
  const { files, flags, sha256 } = toObject(configuration)
  if (configured !== undefined && (sha256 !== undefined || (files === undefined && flags === undefined)))
    return unknownDigest
  return declarationDigest({ ...asserted, configuration: files, flags } as unknown as Declaration) // written by runPayload
}

function rejectionDigest(fields: Readonly<Record<string, unknown>>): Buffer {
  const { run, part, repository, reason, by, offered } = fields
  const { bytes, sha256 } = toObject(offered)
  const of = run === undefined ? { repository } : { run, part }
  return hash('sha256', JSON.stringify({ ...of, reason, sha256, bytes: sha256 === undefined ? undefined : bytes, by }), 'buffer') // oxfmt-ignore
}

/** `key:<of>` of the first key, `#<id>` of one that follows another, `/retired` of one that signs no more. */
function keyOfKey({ of, vkey, replaces, retires }: Readonly<Record<string, unknown>>): string {
  const idOf = (text: unknown): string => String(text).split('+')[1] ?? ''
  if (retires !== undefined) return `key:${String(of)}#${idOf(retires)}/retired`
  return `key:${String(of)}${replaces === undefined ? '' : `#${idOf(vkey)}`}`
}

const named = (key: string): SubmissionOf => ({ key, digest: hash('sha256', key, 'buffer') })

function toObject(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}
