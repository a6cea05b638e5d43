import type { LedgerName } from '../record/record.ts'

/** What stands where in an evidence pack, and what its own words are. docs/evidence.md says the same to people. */

/** Named in scope.json. Raised whenever the same records would give other tables, sums or report than before; packs of earlier rules are checked by theirs. */
export const packRules = 'evidence@3'
export const knownRules = ['evidence@1', 'evidence@2', packRules] as const
export type PackRules = (typeof knownRules)[number]
export const packSchema = 'proofline.evidence.v1'

/** Members of a question, in this order and no other. */
export interface PackQuestion {
  /** Half-open, on recorded_at. */
  from: string
  to: string
  repository?: string | undefined
  path?: string | undefined
  /** `12` or `12-20`. */
  lines?: string | undefined
  commit?: string | undefined
  build?: string | undefined
  /** Then repository and commit are those that it names. */
  deployment?: string | undefined
  sample: number
  /** `root`, or whatever the auditor chose. */
  seed: string
  stratify: readonly Stratifier[]
}

export const stratifiers = ['test_type', 'repository', 'suite', 'ref', 'outcome'] as const
export type Stratifier = (typeof stratifiers)[number]

export interface PackLedger {
  ledger: LedgerName
  origin: string
  /** The period is the records [start, end); `size` and `root` are those of the checkpoint that all proofs here lead to. */
  start: number
  end: number
  size: number
  /** Base64. */
  root: string
}

export interface PackScope {
  schema: typeof packSchema
  rules: string
  org: string
  question: PackQuestion
  /** `bound`: a credential that is bound to repositories sees nothing of the system itself but its keys. */
  asked_by: { id: string; method: string; bound?: true | undefined }
  as_of: string
  /** `all`: every record of the period is shown or named by one that is. `part`: only what the question selects. */
  selection: 'all' | 'part'
  ledgers: readonly PackLedger[]
  /** `text`, hashed, is the seed; `from` says where it comes from. */
  seed: { from: 'given' | 'witnessed root' | 'root'; text: string; sha256: string }
}

/** Of a ledger, as a part of file names: `unit`, of a later generation `unit.2`. */
export const kindOf = (ledger: string): string => ledger.slice(ledger.indexOf('/') + 1).replaceAll('/', '.')

export const packNames = {
  scope: 'scope.json',
  report: 'report.html',
  controls: 'controls.csv',
  completeness: 'completeness.json',
  limits: 'limits.md',
  readme: 'README.md',
  sums: 'SHA256SUMS',
  manifest: 'manifest.json',
  signature: 'manifest.dsse.json',
  keys: 'log/keys.txt',
  policy: 'log/policy.txt',
  samples: 'samples/samples.json',
  records: (ledger: string): string => `population/records/${kindOf(ledger)}.ndjson`,
  list: (sha256: string): string => `population/lists/${sha256}.ndjson`,
  artifact: (sha256: string): string => `artifacts/${sha256}`,
  log: (ledger: string, name: string): string => `log/${kindOf(ledger)}/${name}`,
} as const

/** Everything below these is derived from the records, and made again by whoever checks the pack. */
export const isDerived = (name: string): boolean =>
  name === packNames.report || name === packNames.completeness || name.endsWith('.csv')

export const manifestPayloadType = 'application/vnd.proofline.manifest+json'

export interface PackFile {
  name: string
  bytes: number
  sha256: string
}

export function printManifest(files: readonly PackFile[]): string {
  return `${JSON.stringify({ schema: 'proofline.manifest.v1', files: files.toSorted((a, b) => (a.name < b.name ? -1 : 1)) }, undefined, 1)}\n`
}

/** As `sha256sum -c` reads it. */
export function printSums(files: readonly PackFile[]): string {
  return files
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, sha256 }) => `${sha256}  ${name}\n`)
    .join('')
}

/** Throws an Error for anything but the text that `printManifest` prints. */
export function parseManifest(text: string): PackFile[] {
  const value: unknown = JSON.parse(text)
  const files: unknown = typeof value === 'object' && value !== null && 'files' in value ? value.files : undefined
  if (!Array.isArray(files) || !files.every(isPackFile)) throw new Error('this is not a manifest')
  if (printManifest(files) !== text) throw new Error('the manifest is not spelled as one is')
  if (new Set(files.map(({ name }) => name)).size !== files.length) throw new Error('the manifest names a file twice')
  return files
}

function isPackFile(value: unknown): value is PackFile {
  if (typeof value !== 'object' || value === null) return false
  const { name, bytes, sha256 } = value as Partial<Record<keyof PackFile, unknown>>
  return (
    typeof name === 'string' &&
    Number.isSafeInteger(bytes) &&
    typeof sha256 === 'string' &&
    /^[0-9a-f]{64}$/.test(sha256)
  )
}
