import { hash } from 'node:crypto'
import type { StoredRecord } from '../../src/ledger/read.ts'
import { checkOf } from '../../src/record/record.ts'

/**
 * What Elastic and Splunk get, written for reading: parse, build objects, print. Slow, and good for records whose values print as they
 * were parsed, which is all that JSON.stringify wrote. The renderers of `src/delivery` must print the same bytes.
 */

type Fields = Record<string, unknown>

const actions: Record<string, [action: string, type: string]> = {
  run: ['run-declared', 'start'],
  seal: ['run-sealed', 'end'],
  abandonment: ['run-abandoned', 'end'],
  contract: ['contract-registered', 'change'],
}
/** Members that stand elsewhere in the document, and those that come first under `proofline`. */
const elsewhere = ['id', 'seq', 'recorded_at', 'schema', 'kind', 'ledger', 'commit', 'head_commit', 'ref', 'path', 'ranges', 'by', 'url', 'text'] // oxfmt-ignore
const leading = ['test_type', 'run', 'part', 'ordinal', 'build', 'build_seq', 'suite', 'repository', 'blob']

const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isString = (value: unknown): value is string => typeof value === 'string'
/** An object without the members that are undefined; undefined when none is left. */
function some(fields: Fields): Fields | undefined {
  const left = Object.entries(fields).filter(([, value]) => value !== undefined)
  return left.length === 0 ? undefined : Object.fromEntries(left)
}

function outcomeOf({ kind, outcome, tests }: Fields): string | undefined {
  if (kind === 'abandonment') return 'unknown'
  if (kind !== 'seal') return undefined
  const failed = isObject(tests) ? Number(tests['failed'] ?? 0) : 0
  return outcome === 'completed' && failed === 0 ? 'success' : 'failure'
}

/** `"6-8,18"` -> [{gte: 6, lte: 8}, {gte: 18, lte: 18}] */
function ranges(fields: Fields, name: string): Fields[] | undefined {
  const text = isObject(fields['ranges']) ? fields['ranges'][name] : undefined
  if (!isString(text) || text === '') return undefined
  return text.split(',').map((range) => {
    const [gte, lte = gte] = range.split('-').map(Number)
    return { gte, lte }
  })
}

function withExecuted(value: unknown): unknown {
  if (!isObject(value) || value['covered'] === undefined || value['partial'] === undefined) return value
  return { ...value, executed: Number(value['covered']) + Number(value['partial']) }
}

function documentOf(record: StoredRecord, publicHost: string): Fields {
  const text = Buffer.from(record.bytes).toString('utf8')
  const digest = hash('sha256', record.bytes, 'hex')
  const fields = JSON.parse(text) as Fields
  const { kind, id, seq, ledger } = record
  const { path, repository, commit, ref, by, run, url, artifact_sha256: artifact } = fields
  const [action, type] = actions[kind] ?? [`${kind}-recorded`, 'info']
  const ends = kind === 'seal' || kind === 'run'
  const hashes = [commit, artifact].filter(isString)
  const own = some({
    ...Object.fromEntries(leading.map((name) => [name, fields[name]])),
    ...Object.fromEntries(Object.entries(fields).filter(([name]) => !elsewhere.includes(name))),
  })
  if (own !== undefined && 'lines' in own) own['lines'] = withExecuted(own['lines'])
  const head = some({ name: isString(ref) ? ref : undefined, revision: commit })
  return {
    '@timestamp': fields['recorded_at'],
    ecs: { version: '9.3.0' },
    event: some({
      kind: 'event', module: 'proofline', dataset: `proofline.${kind}`, action, outcome: outcomeOf(fields),
      reference: ends && isString(url) ? url : undefined,
      type: [type], id, sequence: seq, hash: digest, original: text,
    }), // oxfmt-ignore
    observer: { vendor: 'Proofline', product: 'Proofline', name: publicHost },
    organization: { id: ledger.slice(0, ledger.indexOf('/')) },
    file: path === undefined ? undefined : { path },
    vcs:
      repository === undefined || repository === '*'
        ? undefined
        : some({
            repository: { url: { full: `https://${isString(repository) ? repository : ''}` } },
            ref: head === undefined ? undefined : { head },
          }),
    user: isObject(by)
      ? some({
          id: isString(by['actor_id']) ? by['actor_id'] : undefined,
          name: isString(by['subject']) ? by['subject'] : undefined,
        })
      : undefined,
    cicd:
      (ends || kind === 'abandonment') && isString(run)
        ? { pipeline: { run: some({ id: run, url: isString(url) ? { full: url } : undefined }) } }
        : undefined,
    related: hashes.length === 0 ? undefined : { hash: hashes },
    proofline: some({
      render: 1, ledger, block: Math.floor(seq / 65_536), check: checkOf(digest), kind, ...own,
      missed_lines: ranges(fields, 'missed'), partial_lines: ranges(fields, 'partial'),
      survived_lines: ranges(fields, 'survived'), uncovered_lines: ranges(fields, 'uncovered'),
    }), // oxfmt-ignore
  }
}

export function referenceElastic(records: readonly StoredRecord[], publicHost: string, index: string): string {
  return records
    .map((record) => {
      const action = { create: { _index: index, _id: record.id } }
      return `${JSON.stringify(action)}\n${JSON.stringify(documentOf(record, publicHost))}\n`
    })
    .join('')
}

export interface ReferenceSplunk {
  publicHost: string
  index: string
  mark: number
  eventForm: 'object' | 'string'
}

export function referenceSplunk(records: readonly StoredRecord[], settings: ReferenceSplunk): string {
  const { publicHost, index, mark, eventForm } = settings
  return records
    .map(({ ledger, kind, seq, id, recordedAt, bytes }) => {
      const text = Buffer.from(bytes).toString('utf8')
      const digest = hash('sha256', bytes, 'hex')
      const fields = {
        proofline_id: id, proofline_ledger: ledger, proofline_seq: String(seq), proofline_block: String(Math.floor(seq / 65_536)),
        proofline_check: String(checkOf(digest)), proofline_attempt: String(1 + mark),
        proofline_possible_dup: mark > 0 ? '1' : undefined,
      } // oxfmt-ignore
      const envelope = {
        host: publicHost,
        source: `${publicHost}/${ledger}`,
        sourcetype: `proofline:${kind}`,
        index,
        fields,
      }
      const seconds = (Math.floor(recordedAt / 1000) / 1000).toFixed(3)
      const event = eventForm === 'string' ? JSON.stringify(text) : text
      return `{"time":${seconds},${JSON.stringify(envelope).slice(1, -1)},"event":${event}}\n`
    })
    .join('')
}
