import type { PackFile, PackScope } from '../verify/pack-format.ts'

/** limits.md: what this pack does not prove, in terms of what is in it. */
export function printLimits(scope: PackScope, files: readonly PackFile[]): string {
  const { selection, seed, question, as_of, ledgers } = scope
  const stamped = files.some(({ name }) => name.endsWith('.tst'))
  const without = scope.ledgers.filter(({ size }) => size === 0).map(({ ledger }) => ledger)
  const lines = [
    'A test run that was never pushed is in no record. Only a comparison with the CI system shows that nothing was left out on the way here; `population/runs.csv` is made for that.',
    'What a report says is what a tool wrote. The service keeps it, counts it and proves that it did not change since; whether the tool measured rightly is not shown.',
    selection === 'all'
      ? 'Every seq of the period is accounted for: the record is shown, or a `part` record that is shown names it as its coverage, or it continues an inventory whose beginning is shown. Coverage records themselves are in the samples\' reports, not here.'
      : `The question selects (${describe(scope)}). That every record shown belongs to the log is proved; that no other record of the period belongs to the selection is said by the service and signed with its statement key, but not proved by the log. A pack without a selection proves it.`,
    ...(question.path === undefined
      ? []
      : ['The history of the file is proved where it changes: at the first and last record of each interval. That the runs in between say the same is the service\'s word; `lines/rows.ndjson` names their records by id, and `GET /v1/records/{id}/proof` proves any of them. Runs stand in the order in which they ended, lines by their number in the blob that is named.']),
    'Times are the service\'s: a record was made not later than a checkpoint that covers it was seen by somebody else. That it was not made earlier than its time, nobody can prove.',
    stamped
      ? 'Time-stamps of an outside authority (RFC 3161) are over the checkpoints in `log/*/stamp-*.tst`; they bound what lies below the sizes of their notes.'
      : 'No time-stamp of an outside authority covers the checkpoints in this pack.',
    seed.from === 'witnessed root'
      ? 'The checkpoints are cosigned by witnesses as the policy demands. An operator who holds the log\'s key and a quorum of witnesses could still show two histories.'
      : 'The log has no witnesses with a quorum: an operator who holds its key could show another history to somebody else. Compare the checkpoints with copies that others kept (SIEM heartbeats hold them).',
    ...(seed.from === 'root'
      ? ['The sample\'s seed is the root of a checkpoint that no witness cosigned: the service could have tried several before it signed one. Choose `--seed` yourself where that matters.']
      : []),
    'Records between acceptance and signature are protected by the database alone; none of them is in this pack, which ends with signed checkpoints.',
    'Identity of a CI job is what its credential says; `by` in each run record names the method. No issuer keys are in this pack, since no run was identified by an issuer\'s token.',
    'Deployments, gates, dispositions and issued reports have tables here; one without rows says that no such record was made in the period. A deployment that nobody told the service of is in none: compare `population/deployments.csv` with the system that deploys.',
    'A gate and a deployment say what was decided and by which report; that report stands under its digest (`report` in `population/gates.csv`) at the service, not in this pack. What a decision rests on is what was recorded until its `as_of`.',
    'A note in `exceptions.csv` is one that was made within the period. It says that somebody looked, not that they were right; one whose last day came before the end of the period is marked as lapsed. Whether the file it is about has changed since is not shown.',
    'Cosignatures and time-stamps of a checkpoint may come later. Everything else in a pack depends on the question, who asked, and `as_of` alone: asked again, the files are the same, byte for byte.',
    ...(without.length === 0 ? [] : [`Nothing was published yet of ${without.join(', ')}.`]),
    'SHA-256 and Ed25519 hold today. Before they are weak the roots have to be anchored anew with others; this pack will not say when.',
  ] // oxfmt-ignore
  return `# What this pack does not prove\n\nPeriod ${question.from} to ${question.to}, as of ${as_of}, ${ledgers.length} ledgers.\n\n${lines.map((line) => `- ${line}\n`).join('')}`
}

function describe({ question }: PackScope): string {
  const { repository, path, lines, commit, build } = question
  return Object.entries({ repository, path, lines, commit, build })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ')
}
