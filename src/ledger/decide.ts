import { Problem, type ProblemCode } from '../record/problem.ts'
import type { Micros } from '../record/record.ts'
import type { PackedSegment } from './segments.ts'
import type { SealRow, SuiteOnRef } from './batch.ts'

/** Pure: what becomes of waiting submissions against the head that will be extended. */

/** A submission that is recorded, or will be in this batch (`firstSeq` -1 until it has its place). */
export interface Known {
  digest: Uint8Array
  firstSeq: number
  lastSeq: number
  firstTime: Micros
}

/** What is known of one run at the head: its own keys and those of its parts and slices. */
export interface RunView {
  has(key: string): boolean
  get(key: string): Known | undefined
  keys(): Iterable<string>
}

/** Given to submissions that are a function of the run's records at the head being extended. */
export interface AtHead {
  seq: number
  time: Micros
  run: RunView
  /** Leaf hashes of [from, to), 32 bytes each, recorded or earlier in this batch. */
  leafHashes(from: number, to: number): Promise<Buffer>
  /** Payload of a record, recorded or earlier in this batch. */
  payload(seq: number): Promise<Buffer>
  /** Seq of the newest seal that counts of a suite on a ref, recorded or earlier in this batch. */
  lastCounting(suite: SuiteOnRef): Promise<number | undefined>
}

export interface Made {
  segments: readonly PackedSegment[]
  seal?: Omit<SealRow, 'seq'>
}

/** What was asserted under a key does not follow from its record: of submissions that `proofline recover` put back. The first one wins then. */
export const unknownDigest: Uint8Array = new Uint8Array(32)

/** Whether what is offered now is what was recorded under the key. */
export function isSameDigest(recorded: Uint8Array, offered: Uint8Array): boolean {
  return Buffer.compare(recorded, offered) === 0 || Buffer.compare(recorded, unknownDigest) === 0
}

export interface Submission {
  key: string
  /** SHA-256 over what the client asserts: decides between "the same again" and a conflict. */
  digest: Uint8Array
  /** Reads the state of this run for `decide` and `segments`. */
  run?: string
  /** The first one wins: whatever comes later under the key joins it, nothing conflicts. */
  firstWins?: boolean
  /** Code for another digest under the same key. */
  conflict: ProblemCode
  /** Refuses against the run as it stands at the head. */
  decide?: (run: RunView) => Problem | undefined
  segments: readonly PackedSegment[] | ((at: AtHead) => Promise<Made>)
}

export type Decision = { kind: 'record' } | { kind: 'joined'; known: Known } | { kind: 'refused'; problem: Problem }

/** Decides one submission. `known` are all keys at the head and earlier in this batch. */
export function decide(submission: Submission, known: ReadonlyMap<string, Known>): Decision {
  const first = known.get(submission.key)
  if (first !== undefined) {
    if (submission.firstWins === true || isSameDigest(first.digest, submission.digest))
      return { kind: 'joined', known: first }
    const extra = {
      first_sha256: Buffer.from(first.digest).toString('hex'),
      offered_sha256: Buffer.from(submission.digest).toString('hex'),
    }
    return {
      kind: 'refused',
      problem: new Problem(submission.conflict, `${submission.key} was recorded with other content`, { extra }),
    }
  }
  const problem = submission.decide?.(viewOf(known, submission.run))
  return problem === undefined ? { kind: 'record' } : { kind: 'refused', problem }
}

/** Decides a group that is recorded together or not at all: later members see the earlier ones. */
export function decideGroup(group: readonly Submission[], known: ReadonlyMap<string, Known>): Decision[] {
  const overlay = new Map(known)
  const decisions: Decision[] = []
  for (const submission of group) {
    const decision = decide(submission, overlay)
    decisions.push(decision)
    if (decision.kind === 'refused') return decisions
    if (decision.kind === 'record')
      overlay.set(submission.key, { digest: submission.digest, firstSeq: -1, lastSeq: -1, firstTime: 0 })
  }
  return decisions
}

/** The keys of one run: `run:R`, `end:R`, `part:R/...`, `slice:R/...`. */
export function viewOf(known: ReadonlyMap<string, Known>, run: string | undefined): RunView {
  const ofRun = (key: string): boolean => {
    if (run === undefined) return false
    const rest = key.slice(key.indexOf(':') + 1)
    return rest === run || (rest.startsWith(run) && rest[run.length] === '/')
  }
  return {
    has: (key) => ofRun(key) && known.has(key),
    get: (key) => (ofRun(key) ? known.get(key) : undefined),
    *keys() {
      for (const key of known.keys()) if (ofRun(key)) yield key
    },
  }
}
