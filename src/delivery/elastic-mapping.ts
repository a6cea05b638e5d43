/**
 * The mapping of our documents. Strict where ECS is: what is not ours is refused. Below `proofline` what is not named is kept and not
 * indexed: a record of a newer version must never be refused by an older template.
 */

type Mapping = { [key: string]: string | number | boolean | Mapping }

const keyword: Mapping = { type: 'keyword' }
const long: Mapping = { type: 'long' }
const object = (properties: Mapping): Mapping => ({ properties })
const counts = (...names: string[]): Mapping => object(Object.fromEntries(names.map((name) => [name, long])))

/** `closed_blocks` ("<ledger> <block> <records> <check sum>") and `sealed_records` are set by our pipeline (elastic-setup.ts). */
const proofline: Mapping = {
  dynamic: false,
  properties: {
    ...Object.fromEntries(
      ['ledger', 'kind', 'test_type', 'run', 'part', 'build', 'suite', 'repository', 'blob', 'metric', 'definition', 'artifact_sha256', 'outcome', 'reason', 'reasons', 'stage', 'environment', 'severity', 'code', 'destination', 'command', 'route', 'alert', 'subject', 'state', 'of', 'verdict', 'deployment', 'decision', 'gate', 'overrides', 'ticket', 'closed_blocks'].map((name) => [name, keyword]),
    ), // oxfmt-ignore
    ...Object.fromEntries(
      ['render', 'block', 'check', 'ordinal', 'build_seq', 'sealed_records'].map((name) => [name, long]),
    ),
    admitted: { type: 'boolean' },
    enforced: { type: 'boolean' },
    tool: object({ name: keyword, version: keyword }),
    lines: counts('found', 'covered', 'partial', 'missed', 'executed'),
    branches: counts('found', 'covered'),
    functions: counts('found', 'covered'),
    statements: counts('found', 'covered'),
    regions: counts('found', 'covered'),
    mcdc: counts('found', 'covered'),
    calls: counts('found', 'covered'),
    mutated_lines: counts('found', 'detected', 'survived', 'uncovered', 'undecided'),
    // Other words of other tools are kept and not indexed.
    mutants: counts('found', 'detected', 'undetected', 'killed', 'timed_out', 'survived', 'no_coverage'),
    tests: counts('total', 'passed', 'failed', 'skipped'),
    missed_lines: { type: 'integer_range' },
    partial_lines: { type: 'integer_range' },
    survived_lines: { type: 'integer_range' },
    uncovered_lines: { type: 'integer_range' },
  },
}

export const mappings: Mapping = {
  dynamic: 'strict',
  date_detection: false,
  properties: {
    '@timestamp': { type: 'date_nanos' },
    ecs: object({ version: keyword }),
    event: object({
      ...Object.fromEntries(
        ['kind', 'module', 'dataset', 'action', 'type', 'outcome', 'id', 'hash', 'reference'].map((name) => [
          name,
          keyword,
        ]),
      ),
      sequence: long,
      ingested: { type: 'date' },
      // The record bytes, as long as a record may be; found by their hash and never by their words.
      original: { type: 'keyword', index: false, doc_values: false },
    }),
    observer: object({ vendor: keyword, product: keyword, name: keyword }),
    organization: object({ id: keyword }),
    file: object({ path: keyword }),
    vcs: object({
      repository: object({ url: object({ full: keyword }) }),
      ref: object({ head: object({ name: keyword, revision: keyword }) }),
    }),
    user: object({ id: keyword, name: keyword }),
    cicd: object({ pipeline: object({ run: object({ id: keyword, url: object({ full: keyword }) }) }) }),
    related: object({ hash: keyword }),
    proofline,
  },
}
