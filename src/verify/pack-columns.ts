import type { PackRules } from './pack-format.ts'

/** One table a kind; columns are members of its records, after seq, recorded_at and id. A kind that has no record yet has an empty table. */
export type Columns = Readonly<Record<string, readonly string[]>>

const first: Columns = {
  build: ['repository', 'build', 'commit', 'ref'],
  contract: ['repository', 'contract_version', 'contract', 'parent', 'mode', 'ref', 'commit', 'by'],
  deployment: ['repository', 'deployment', 'build', 'environment', 'artifact_sha256', 'gate', 'by'],
  gate: ['repository', 'subject', 'verdict', 'as_of', 'contract', 'report', 'by'],
  disposition: ['repository', 'subject', 'reason', 'until', 'by'],
  report: ['repository', 'query', 'sha256', 'by'],
  part: ['run', 'part', 'format', 'definition', 'artifact_sha256', 'bytes', 'files', 'totals', 'records', 'refused', 'unresolved'], // oxfmt-ignore
  rejection: ['run', 'part', 'repository', 'commit', 'reason', 'detail', 'offered', 'first', 'by'],
  alert: ['alert', 'n', 'code', 'subject', 'state', 'severity', 'owner', 'detail', 'by', 'at'],
  command: ['command', 'destination', 'reason', 'by'],
  access: ['access', 'by', 'method', 'route', 'params', 'count'],
  configuration: ['node', 'version', 'configuration_digest'],
  key: ['of', 'origin', 'vkey', 'guard'],
  reconciliation: ['destination', 'of', 'compared_at', 'verdict', 'drill'],
  retention: ['act', 'of', 'month', 'reason', 'by'],
  hold: ['hold', 'repository', 'state', 'reason', 'ticket', 'by'],
  loss: ['of', 'reason', 'by'],
}

/** Since what is decided about the software has records: their own members. */
const second: Columns = {
  ...first,
  deployment: ['repository', 'deployment', 'environment', 'build', 'build_seq', 'commit', 'artifact', 'decision', 'enforced', 'gate', 'override', 'url', 'deployed_at', 'by'], // oxfmt-ignore
  gate: ['repository', 'commit', 'ref', 'build', 'build_seq', 'verdict', 'reasons', 'enforced', 'contract', 'contract_version', 'contract_default', 'as_of', 'checks', 'missing', 'counted', 'seals', 'report', 'base', 'previous', 'overrides', 'reason', 'ticket', 'by'], // oxfmt-ignore
  disposition: ['repository', 'subject', 'note', 'verdict', 'until', 'blob', 'by'],
  report: ['repository', 'query', 'as_of', 'rules', 'sha256', 'bytes', 'envelope_sha256', 'by'],
  access: ['access', 'by', 'method', 'route', 'repository', 'params', 'count'],
}

/** Since a sum of reads says over which time it goes, and a command what it was about, whatever that is. */
const third: Columns = {
  ...second,
  command: ['command', 'command_id', 'commanded_at', 'destination', 'of', 'consumer', 'key', 'org', 'token', 'producer', 'session', 'scopes', 'repositories', 'expires_at', 'reason', 'by'], // oxfmt-ignore
  access: ['access', 'by', 'method', 'route', 'repository', 'params', 'count', 'from', 'until'],
}

const columns: Readonly<Record<PackRules, Columns>> = { 'evidence@1': first, 'evidence@2': second, 'evidence@3': third }

export const columnsOf = (rules: PackRules): Columns => columns[rules]
