import type { Certificate } from './certificate.ts'
import type { LedgerName } from '../record/record.ts'
import type { StoredRecord } from '../ledger/read.ts'

/** Which try this is. What is rendered depends on the records, the settings and `mark`; the rest travels beside the bytes. */
export interface AttemptId {
  ledger: LedgerName
  firstSeq: number
  try: number
  /** How many earlier tries of these records may have left this machine: Splunk shows 1 + mark, and marks a possible duplicate. */
  mark: number
  /** One-shot channel (a UUID): its first acknowledgement id is 0, so it can be asked for even when the answer was lost. */
  channel: string
  /** Monotonic milliseconds (performance.now): after the first no byte is begun, after the second the socket is gone. */
  sendBeforeMs: number
  deadlineMs: number
}

export interface Rendered {
  attempt: AttemptId
  records: readonly StoredRecord[]
  /** What all records of one request share: index and sourcetype, or index. */
  target: string
  body: Buffer
  /** SHA-256 that identifies the bytes, 32 bytes. */
  digest: Buffer
}

/** An attempt as it is looked up later, by whichever process. */
export interface Attempt {
  id: AttemptId
  target: string
  /** How many records it is asked for. */
  members: number
  /** Reads them, in order: an acknowledgement is asked for without. */
  records: () => Promise<readonly StoredRecord[]>
  /** Wall clock: when its row was written and when none of its bytes can be on their way any more. */
  openedAt: Date
  deadline: Date
  /** Absent after a crash: nobody knows where it went. */
  trail?: Trail
}

/** Where an attempt went, kept with its outcome: an acknowledgement is asked for there and nowhere else, also after a restart. */
export interface Trail {
  /** `ip:port`; known of an answer that was lost, too, as soon as bytes had left. */
  address?: string
  /** The cookies that lead a load balancer to the same node. */
  cookie?: string
  /** Fingerprint of the token that was used. */
  token?: string
  /** Acknowledgement id told by the answer, when there was one. */
  ackId?: number
  /** Of several some may have been kept and others not: what holds for the request as a whole says nothing of each. */
  partial?: true
}

export type Phase = 'resolve' | 'connect' | 'tls' | 'write' | 'read'

/** What was seen on the wire. */
export type Answer =
  | {
      kind: 'answer'
      status: number
      headers: Readonly<Record<string, string>>
      body: string
      address: string
      /** What its Set-Cookie headers asked for: names and values. */
      cookie?: string
      /** Fingerprint of the token that was used, where there are several. */
      token?: string
      elapsedMs: number
    }
  | {
      kind: 'failure'
      phase: Phase
      wrote: boolean
      code: string
      message: string
      address: string
      status?: number
      cookie?: string
      token?: string
      elapsedMs: number
    }
  | { kind: 'expired' } // send_before had passed: no byte was begun

export const blockReasons = [
  'credentials',
  'index',
  'certificate',
  'redirect',
  'channel',
  'cluster_block',
  'address',
  'settings',
] as const
export type BlockReason = (typeof blockReasons)[number]

/** How what is left of a batch is tried again: in halves, or the member the destination named (and its neighbours) one by one. */
export type Split = 'halve' | 'single' | `isolate:${number}`

/** How it was proved, and what the destination said. */
export interface Receipt {
  by: 'ack' | 'search' | 'answer' | 'create' | 'compare'
  [key: string]: string | number
}

export type Outcome =
  | { kind: 'delivered'; receipt: Receipt } // proved to be there
  | { kind: 'accepted'; ackId?: number; slow?: boolean; weaker?: string; block?: BlockReason } // a definite yes without proof; weaker: why the proof that was asked for will not come
  | { kind: 'refused'; reason: string } // will never be taken
  | { kind: 'unsent'; reason: string; retryAfterMs?: number; block?: BlockReason; split?: Split } // provably nothing stored
  | { kind: 'in_doubt'; reason: string; held?: true; partial?: true; block?: BlockReason; split?: Split } // look before anything is sent again; held: its id is taken; partial: in Trail

export type Finding =
  /** `digest`: the first hex digits of the SHA-256 of the stored bytes, as many as the destination knows. */
  | { kind: 'present'; copies: number; digest?: string; receipt: Receipt }
  | { kind: 'absent' } // conclusive: a later canary is visible and no peer was missing
  | { kind: 'unknown'; reason: string }

export interface SeqRange {
  ledger: LedgerName
  first: number
  last: number
}

/** Count and sum of `check`, exact in doubles: a block's sum has at most 48 bits. */
export interface Sum {
  count: number
  checkSum: number
}

/** One destination. Translates, sends, looks; never decides, waits, retries or touches the database. Safe to call concurrently. */
export interface Destination {
  /** What one request may hold: records of different targets go into different attempts. Pure. */
  target(record: StoredRecord): string
  /** Pure. The attempt is stored with this request's digest before anything is sent. */
  render(records: readonly StoredRecord[], attempt: AttemptId): Rendered
  /** Sends once and tells what was seen on the wire. Rejects only on a bug, or on abort before the first byte. */
  send(rendered: Rendered, signal: AbortSignal): Promise<Answer>
  /** Pure. One outcome per record, in order. */
  classify(rendered: Rendered, answer: Answer): Outcome[]
  /** Asks for these records: acknowledgement, get or search. One finding per record, in order. Never rejects but on abort. */
  look(attempt: Attempt, signal: AbortSignal): Promise<Finding[]>
  /** Count and sum of what is there of the range, computed over there. This and the next two reject when it cannot be asked. */
  sum(range: SeqRange, signal: AbortSignal): Promise<Sum>
  /** The same for each block of the range that has anything, in one question. */
  sumBlocks(range: SeqRange, signal: AbortSignal): Promise<ReadonlyMap<number, Sum>>
  /** Every id that is there of the range, with its copies. */
  ids(range: SeqRange, signal: AbortSignal): Promise<ReadonlyMap<string, number>>
  /** SHA-256 in hex of the record bytes as they are stored over there, by id; what is not there is absent. */
  digests(records: readonly StoredRecord[], signal: AbortSignal): Promise<ReadonlyMap<string, string>>
  /** Record bytes of the range as they are stored over there, by id; of several copies any. Rejects when it cannot be asked. */
  originals(range: SeqRange, signal: AbortSignal): Promise<ReadonlyMap<string, Uint8Array>>
  /**
   * What the cluster at the address calls itself, the same for as long as it holds the same documents; undefined where that is not told, or
   * nobody answers. Never rejects but on abort.
   */
  cluster(signal: AbortSignal): Promise<string | undefined>
  /** Certificates that its servers showed. */
  certificates(): Certificate[]
  close(): Promise<void>
}

/** The version of the rendering; it is stored with each attempt and stands in what Elastic gets. */
export const renderVersion = 1
