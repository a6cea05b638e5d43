/**
 * in-toto Statement v1: what is said (`predicate`) about which bytes (`subject`, by digest). Signed as the payload of a DSSE envelope, so
 * that tools which know nothing of this log can read the envelope, find the subject and check the signature. Members are in the camel case
 * of that specification.
 */

export const inTotoPayloadType = 'application/vnd.in-toto+json'
const statementType = 'https://in-toto.io/Statement/v1'

/** https://github.com/in-toto/attestation, spec/predicates/test-result.md */
export const testResultPredicate = 'https://in-toto.io/attestation/test-result/v0.1'
/** Ours: no coverage predicate exists there. A name and no address, as the types of our problem documents are. */
export const coveragePredicate = 'urn:proofline:predicate:coverage:v1'

/** At least one of `uri` and `digest`; a subject has a digest. */
export interface ResourceDescriptor {
  name?: string | undefined
  uri?: string | undefined
  /** Algorithm to lower-case hex: `gitCommit`, `sha256`. */
  digest?: Readonly<Record<string, string>> | undefined
}

export interface Subject extends ResourceDescriptor {
  digest: Readonly<Record<string, string>>
}

export interface TestResult {
  result: 'PASSED' | 'WARNED' | 'FAILED'
  /** What the run was made with; may be empty. */
  configuration: readonly ResourceDescriptor[]
  url?: string | undefined
  /** Names of tests, where they are known. */
  passedTests?: readonly string[] | undefined
  warnedTests?: readonly string[] | undefined
  failedTests?: readonly string[] | undefined
}

/** One measure of a run, as its seal sums it up: different measures are never added. */
export interface CoverageMeasure {
  metric: string
  definition: string
  tool: { name: string; version?: string | undefined }
  parts: number
  files: number
  /** `found`, `covered`, `partial`, `missed` of lines; for other metrics their own counts. */
  counts: Readonly<Record<string, unknown>>
}

/** What a sealed run measured, and where it stands in the log. */
export interface Coverage {
  testType: 'unit' | 'integration'
  suite: string
  run: string
  ref?: string | undefined
  build?: string | undefined
  outcome: string
  tests: { total: number; passed: number; failed: number; skipped: number } | null
  admitted: boolean
  /** Why it is not. */
  reasons: readonly string[]
  measures: readonly CoverageMeasure[]
  /** The reports that it was read from. */
  artifacts: readonly ResourceDescriptor[]
  log: {
    origin: string
    /** The seal: the record that says all this. */
    record: string
    seq: number
    recordedAt: string
    /** RFC 6962 root over the leaf hashes of the run's records; lower-case hex. */
    runRoot: string
  }
}

export type Predicate =
  | { predicateType: typeof testResultPredicate; predicate: TestResult }
  | { predicateType: typeof coveragePredicate; predicate: Coverage }

/** Payload bytes of the envelope: JSON on one line, absent members left out. Throws for a subject without a digest. */
export function printStatement(subject: readonly Subject[], { predicateType, predicate }: Predicate): Uint8Array {
  if (subject.length === 0 || subject.some(({ digest }) => Object.keys(digest).length === 0))
    throw new RangeError('a statement is about subjects with digests')
  return new TextEncoder().encode(JSON.stringify({ _type: statementType, subject, predicateType, predicate }))
}

/** The tested source: `git+https://<repository>` at a commit. Subjects are matched by digest alone. */
export const commitSubject = (repository: string, commit: string): Subject => ({
  name: `git+https://${repository}`,
  digest: { gitCommit: commit },
})
