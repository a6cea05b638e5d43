import type { Database } from '../database/database.ts'
import type { Reader, StoredRecord } from '../ledger/read.ts'
import type { LedgerName } from '../record/record.ts'
import { type Decision, type DecisionKind, decisionKinds, deleteDecisions, insertDecisions } from './decision-store.ts'
import { findSpans } from './find-spans.ts'
import { beginAnew, movePosition, readPosition } from './projection-store.ts'
import { readSpan } from './read-records.ts'

/**
 * The follower that makes the records of `changes` findable. As the history of runs it is derived: rows and position in one transaction, what a
 * step inserts depends on the ledger alone, and it may be dropped and filled again at any time.
 */

export interface DecisionDeps {
  db: Database
  reader: Reader
}

const maxRows = 5_000

/** Until the position is at `size` or the signal aborts; the position. */
export async function catchUpDecisions({ db, reader }: DecisionDeps, ledger: LedgerName, size: number, signal: AbortSignal): Promise<number> {
  for (;;) {
    const position = await readPosition(db, ledger)
    if (position.next >= size || signal.aborted) return position.next
    const { spans, end } = await findSpans(db, ledger, position.next, size, decisionKinds)
    const decisions: Decision[] = []
    let next = end
    for (const { firstSeq, count } of spans) {
      const last = Math.min(firstSeq + count, size) - 1
      for await (const record of readSpan(reader, ledger, firstSeq, last)) {
        const decision = toDecision(record)
        if (decision !== undefined) decisions.push(decision)
      }
      if (decisions.length < maxRows) continue
      next = last + 1
      break
    }
    await db.transaction(async (tx) => {
      // First the position: whoever comes second, or after a rebuild began, inserts nothing and reads where it stands.
      if (await movePosition(tx, ledger, position, next)) await insertDecisions(tx, ledger, decisions)
    })
  }
} // oxfmt-ignore

/** Follows the ledger until the signal aborts. */
export async function runDecisions(deps: DecisionDeps, ledger: LedgerName, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const size = (await deps.reader.published(ledger))?.size ?? 0
    const next = await catchUpDecisions(deps, ledger, size, signal)
    for await (const _ of deps.reader.tail(ledger, Math.max(size, next), signal, { maxRecords: 1 })) break
  }
}

/** Drops what is there and fills it again. */
export async function rebuildDecisions(deps: DecisionDeps, ledger: LedgerName, signal: AbortSignal): Promise<{ size: number }> {
  await deps.db.transaction(async (tx) => {
    await beginAnew(tx, ledger)
    await deleteDecisions(tx, ledger)
  })
  const size = (await deps.reader.published(ledger))?.size ?? 0
  return { size: await catchUpDecisions(deps, ledger, size, signal) }
} // oxfmt-ignore

/** Undefined for records of other kinds, which an archived month is read with. */
function toDecision({ kind, seq, id, recordedAt, bytes }: StoredRecord): Decision | undefined {
  const decided = decisionKinds.find((one) => one === kind)
  if (decided === undefined) return undefined
  const fields = Buffer.from(bytes).toString()
  const members = JSON.parse(fields) as Readonly<Record<string, unknown>> // records are objects
  const text = (name: string): string | null => (typeof members[name] === 'string' ? members[name] : null)
  return {
    seq,
    kind: decided,
    repository: text('repository') ?? '',
    name: nameOf(decided, members),
    commit: text('commit'),
    build: text('build'),
    environment: text('environment'),
    verdict:
      decided === 'deployment'
        ? text('decision')
        : decided === 'gate' && text('overrides') === null
          ? text('verdict')
          : null,
    subject: decided === 'disposition' ? text('subject') : null,
    recordedAt,
    id,
    fields,
  }
}

/** What decision-store.ts says of `name`. */
function nameOf(kind: DecisionKind, members: Readonly<Record<string, unknown>>): string {
  const print = (value: unknown): string =>
    typeof value === 'string' ? value : typeof value === 'number' ? String(value) : ''
  const of = (name: string): string => print(members[name])
  switch (kind) {
    case 'build':
      return of('build')
    case 'contract':
      return of('contract_version')
    case 'gate':
      return of('overrides') || of('build') || of('commit')
    case 'deployment':
      return of('deployment')
    case 'disposition':
      return print((members['target'] as { kind?: unknown } | undefined)?.kind)
    case 'report':
      return of('sha256')
  }
}
