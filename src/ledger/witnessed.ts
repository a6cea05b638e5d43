import type { Queryable } from '../database/database.ts'
import { LogError } from '../log/log-error.ts'
import { addSignatures, openNote } from '../log/note.ts'
import { type Policy, needsQuorum, satisfies } from '../log/policy.ts'
import type { VerifierKey } from '../log/vkey.ts'
import type { LedgerName } from '../record/record.ts'
import { checkpointAt } from './checkpoint-store.ts'
import { type CosignatureRow, cosignaturesAt, cosignaturesBelow, cosignaturesFrom } from './cosignature-store.ts'
import { checkpointCovering, newestCheckpoint } from './store.ts'
import type { Tree } from './tree.ts'

/**
 * Which checkpoints are shown to others: where the policy needs a quorum, those that it has cosigned, with its cosignatures; else all that
 * are signed. Recording, receipts and followers do not wait for this. A cosignature is verified again before it is shown, so a row that
 * somebody put into the database counts nothing.
 */
export interface Witnessed {
  readonly policy: Policy | undefined
  /** The newest checkpoint that the policy holds enough. Undefined: there is none yet. */
  newest(ledger: LedgerName): Promise<WitnessedCheckpoint | undefined>
  /** The smallest such at or after this size. */
  atOrAfter(ledger: LedgerName, size: number): Promise<WitnessedCheckpoint | undefined>
  /** The note of the checkpoint of exactly this size with the cosignatures that there are, enough or not. */
  noteAt(ledger: LedgerName, size: number): Promise<string | undefined>
}

export interface WitnessedCheckpoint {
  size: number
  /** With one line of each witness, its newest. */
  note: string
}

/** Sizes looked at in one statement. */
const atOnce = 16
const maxKnown = 4_096

export function createWitnessed(db: Queryable, policy: Policy | undefined): Witnessed {
  const keys = policy?.witnesses.map(({ key }) => key) ?? []
  /** By ledger: below this size there is nothing newer to find. Only a size that is not among the newest is given up. */
  const floors = new Map<LedgerName, number>()
  /** Text and line that were verified, and by whom. */
  const known = new Map<string, VerifierKey>()

  const verify = async (text: string, line: string): Promise<VerifierKey | undefined> => {
    const name = `${text}\n${line}`
    const found = known.get(name)
    if (found !== undefined) return found
    const opened = await openNote(name, keys).catch((error: unknown) => {
      if (error instanceof LogError) return undefined // of a witness that the policy knows no more, or no cosignature at all
      throw error
    })
    const key = opened?.verified[0]?.key
    if (key !== undefined) {
      if (known.size >= maxKnown) known.clear()
      known.set(name, key)
    }
    return key
  }

  /** The note of one size with its cosignatures, and whose they are. */
  const assemble = async (
    note: string,
    rows: readonly CosignatureRow[],
  ): Promise<{ note: string; cosigners: VerifierKey[] }> => {
    const text = note.slice(0, note.lastIndexOf('\n\n') + 1)
    const good: { line: string; key: VerifierKey }[] = []
    for (const { line } of rows) {
      const key = await verify(text, line)
      if (key !== undefined && !good.some((one) => one.key === key)) good.push({ line, key })
    }
    const lines = good.map(({ line }) => line)
    return { note: addSignatures(note, lines), cosigners: good.map(({ key }) => key) }
  }

  /** The first of these sizes that satisfies the policy. */
  const firstEnough = async (
    ledger: LedgerName,
    rows: readonly CosignatureRow[],
  ): Promise<WitnessedCheckpoint | undefined> => {
    if (policy === undefined) return undefined
    for (const size of new Set(rows.map((row) => row.size))) {
      const checkpoint = await checkpointAt(db, ledger, size)
      if (checkpoint === undefined) continue
      const { note, cosigners } = await assemble(
        checkpoint.note,
        rows.filter((row) => row.size === size),
      )
      if (satisfies(policy, cosigners)) return { size, note }
    }
    return undefined
  }

  const noteAt = async (ledger: LedgerName, size: number): Promise<string | undefined> => {
    const checkpoint = await checkpointAt(db, ledger, size)
    if (checkpoint === undefined) return undefined
    if (keys.length === 0) return checkpoint.note
    const newestFirst = (await cosignaturesAt(db, ledger, size)).toReversed()
    return (await assemble(checkpoint.note, newestFirst)).note
  }

  return {
    policy,
    noteAt,
    async newest(ledger) {
      if (policy === undefined || !needsQuorum(policy)) {
        const newest = await newestCheckpoint(db, ledger)
        if (newest === undefined || keys.length === 0) return newest
        return { size: newest.size, note: (await noteAt(ledger, newest.size)) ?? newest.note }
      }
      const floor = floors.get(ledger) ?? 0
      let nextFloor: number | undefined
      for (let below = Number.MAX_SAFE_INTEGER; below > floor;) {
        const rows = await cosignaturesBelow(db, ledger, floor, below, atOnce)
        const smallest = rows.at(-1)?.size
        const found = await firstEnough(ledger, rows)
        if (smallest === undefined || found !== undefined) {
          floors.set(ledger, found?.size ?? nextFloor ?? floor)
          return found
        }
        nextFloor ??= smallest
        below = smallest
      }
      return undefined
    },
    async atOrAfter(ledger, size) {
      if (policy === undefined || !needsQuorum(policy)) {
        const covering = await checkpointCovering(db, ledger, size)
        return covering === undefined ? undefined : { ...covering, note: (await noteAt(ledger, covering.size)) ?? covering.note } // oxfmt-ignore
      }
      for (let from = size; ;) {
        const rows = await cosignaturesFrom(db, ledger, from, atOnce)
        const last = rows.at(-1)?.size
        const found = await firstEnough(ledger, rows)
        if (last === undefined || found !== undefined) return found
        from = last + 1
      }
    },
  }
}

/** The tree as others see it: its checkpoint is one that the policy holds enough. */
export function witnessedTree(tree: Tree, ledger: LedgerName, witnessed: Witnessed): Tree {
  return {
    ...tree,
    checkpoint: async () => (await witnessed.newest(ledger))?.note,
    /** Against a witnessed checkpoint where one covers the record; until then against the newest, whose note shows that. */
    async proof(seq) {
      const found = await witnessed.newest(ledger)
      return tree.proof(seq, found !== undefined && found.size > seq ? found : undefined)
    },
  }
}
