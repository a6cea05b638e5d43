import type { RecordKind } from '../record/record.ts'
import { scanMembers } from './members.ts'

/**
 * What Elastic gets of a record besides the record itself, for every kind: the raw text of its members under other names. `members` are
 * those of the record, as latin1.
 */

interface Happening {
  action: string
  type: string
}

/** ECS for what a kind means; the others are recorded, type info. */
const happenings: Partial<Record<RecordKind, Happening>> = {
  run: { action: 'run-declared', type: 'start' },
  seal: { action: 'run-sealed', type: 'end' },
  abandonment: { action: 'run-abandoned', type: 'end' },
  contract: { action: 'contract-registered', type: 'change' },
}

/** From behind the value of `@timestamp` to that of the event's id. */
export function eventHead(kind: RecordKind, members: ReadonlyMap<string, string>): string {
  const { action, type } = happenings[kind] ?? { action: `${kind}-recorded`, type: 'info' }
  return (
    `,"ecs":{"version":"9.3.0"},"event":{"kind":"event","module":"proofline","dataset":"proofline.${kind}",` +
    `"action":"${action}",${outcomeOf(kind, members)}"type":["${type}"],"id":"`
  )
}

/** The ECS fields beside `event`: `,"file":...,"vcs":...,"user":...,"cicd":...,"related":...`, as far as the record has them. */
export function ecsOf(kind: RecordKind, members: ReadonlyMap<string, string>): string {
  const path = members.get('path')
  const file = path === undefined ? '' : `,"file":{"path":${path}}`
  return `${file}${vcsOf(members)}${userOf(members)}${pipelineOf(kind, members)}${relatedOf(members)}`
}

export function vcsOf(members: ReadonlyMap<string, string>): string {
  const repository = members.get('repository')
  if (repository === undefined || repository === '"*"') return '' // the org's default contract is of no repository
  const commit = members.get('commit')
  const ref = members.get('ref')
  const name = isString(ref) ? `"name":${ref}${commit === undefined ? '' : ','}` : ''
  const revision = commit === undefined ? '' : `"revision":${commit}`
  const head = name === '' && revision === '' ? '' : `,"ref":{"head":{${name}${revision}}}`
  return `,"vcs":{"repository":{"url":{"full":"https://${repository.slice(1)}}}${head}}`
}

const isString = (raw: string | undefined): raw is string => raw?.startsWith('"') === true

export function relatedOf(members: ReadonlyMap<string, string>): string {
  const hashes = [members.get('commit'), members.get('artifact_sha256')].filter(isString)
  return hashes.length === 0 ? '' : `,"related":{"hash":[${hashes.join(',')}]}`
}

function userOf(members: ReadonlyMap<string, string>): string {
  const by = members.get('by')
  if (by?.startsWith('{') !== true) return ''
  const inner = scanMembers(by)
  const parts = [
    ['id', inner.get('actor_id')],
    ['name', inner.get('subject')],
  ].filter(([, value]) => isString(value))
  return parts.length === 0 ? '' : `,"user":{${parts.map(([key, value]) => `"${key}":${value}`).join(',')}}`
}

function pipelineOf(kind: RecordKind, members: ReadonlyMap<string, string>): string {
  if (kind !== 'seal' && kind !== 'run' && kind !== 'abandonment') return ''
  const run = members.get('run')
  const url = members.get('url')
  if (!isString(run)) return ''
  return `,"cicd":{"pipeline":{"run":{"id":${run}${isString(url) ? `,"url":{"full":${url}}` : ''}}}}`
}

/** `event.outcome` and `event.reference` of what ends a run. */
function outcomeOf(kind: RecordKind, members: ReadonlyMap<string, string>): string {
  const url = members.get('url')
  const reference = isString(url) && (kind === 'seal' || kind === 'run') ? `"reference":${url},` : ''
  if (kind === 'abandonment') return `"outcome":"unknown",${reference}`
  if (kind !== 'seal') return reference
  const tests = members.get('tests')
  const failed = tests?.startsWith('{') === true ? Number(scanMembers(tests).get('failed') ?? 0) : 0
  const success = members.get('outcome') === '"completed"' && failed === 0
  return `"outcome":"${success ? 'success' : 'failure'}",${reference}`
}

/** Members that have another place than `proofline.*` in the document, or none besides `event.original`. */
const elsewhere = new Set(['id', 'seq', 'recorded_at', 'schema', 'kind', 'ledger', 'commit', 'head_commit', 'ref', 'path', 'ranges', 'by', 'url', 'text']) // oxfmt-ignore
const leading = new Set(['test_type', 'run', 'part', 'ordinal', 'build', 'build_seq', 'suite', 'repository', 'blob'])

/** Sets of lines that someone asks for by line: those without evidence, of lines and of mutants. */
const asked = ['missed', 'partial', 'survived', 'uncovered'] as const

/** What stands under `proofline` behind the kind, in the order that coverage has there too. */
export function ownOf(members: ReadonlyMap<string, string>): string {
  let text = ''
  const add = (name: string): void => {
    const raw = members.get(name)
    if (raw !== undefined && !elsewhere.has(name))
      text += name === 'lines' ? `,"lines":${lines(raw)}` : `,"${name}":${raw}`
  }
  for (const name of leading) add(name)
  for (const name of members.keys()) if (!leading.has(name)) add(name)
  const ranges = members.get('ranges')
  const sets = ranges?.startsWith('{') === true ? scanMembers(ranges) : new Map<string, string>()
  for (const name of asked) text += lineRanges(`${name}_lines`, sets.get(name))
  return text
}

/** `executed` = covered + partial: the figure that tools print. */
function lines(raw: string): string {
  if (!raw.startsWith('{')) return raw
  const counts = scanMembers(raw)
  const covered = counts.get('covered')
  const partial = counts.get('partial')
  if (covered === undefined || partial === undefined) return raw
  return `${raw.slice(0, -1)},"executed":${Number(covered) + Number(partial)}}`
}

const lineSet = /^"\d+(?:-\d+)?(?:,\d+(?:-\d+)?)*"$/

/** `"6-8,18"` as integer_range values: a term query for one line then finds the record. */
function lineRanges(name: string, raw: string | undefined): string {
  if (raw === undefined || !lineSet.test(raw)) return ''
  const ranges = raw.slice(1, -1).split(',')
  const values = ranges.map((range) => {
    const [first, last = first] = range.split('-')
    return `{"gte":${first},"lte":${last}}`
  })
  return `,"${name}":[${values.join(',')}]`
}
