import type { Database, Queryable } from '../database/database.ts'
import { insertGenesis, restoreAppend } from '../ledger/insert-append.ts'
import type { LostNote } from '../ledger/closed-store.ts'
import * as store from '../ledger/store.ts'
import type { Tree } from '../ledger/tree.ts'
import { openCheckpoint } from '../log/checkpoint.ts'
import { LogError } from '../log/log-error.ts'
import { emptyRoot, equalHashes } from '../log/merkle.ts'
import type { TrustedKey } from '../log/trusted-key.ts'
import { Problem } from '../record/problem.ts'
import type { LedgerName } from '../record/record.ts'
import type { Head } from '../signing/guard.ts'
import { type SignedHead, gather } from './gather.ts'
import { rebuild } from './rebuild.ts'
import type { RecoverySource } from './source.ts'
import type { RecordSpool } from './spool.ts'

/**
 * Brings back what the database of one ledger lost: from its head up to the last head that was signed. Only bytes that lead to a root that
 * our own key has signed are inserted, and nothing that is there is touched. Safe to repeat: each try begins at the head that it finds.
 */

export interface RecoverDeps {
  ledger: LedgerName
  origin: string
  keys: readonly TrustedKey[]
  db: Database
  /** The owner of the tables: the service itself may not insert records with times of the past. */
  owner: Database
  tree: Pick<Tree, 'edge'>
  /** What the guard signed last. */
  last: Head | undefined
  sources: readonly RecoverySource[]
  spool: RecordSpool
  dryRun: boolean
  onProgress?: (done: number, of: number) => void
  signal: AbortSignal
}

export interface Recovered {
  ledger: LedgerName
  /** whole: nothing is missing. other: the records that are here are not those that were signed. */
  verdict: 'whole' | 'recovered' | 'incomplete' | 'other'
  /** Records before, now (or after it would have been done), and as they were signed. */
  had: number
  size: number
  signed: number
  missing: [first: number, last: number][]
  /** The last head that was signed, and signed notes of more records than are here now. */
  lastSigned: Head | undefined
  lostNotes: LostNote[]
  from: Record<string, number>
  refused: string[]
}

export async function recoverLedger(deps: RecoverDeps): Promise<Recovered> {
  const { ledger, db, owner, tree, spool, dryRun } = deps
  if (!dryRun) await insertGenesis(db, ledger, emptyRoot)
  const head = (await store.readHead(db, ledger)).head ?? { size: 0, root: emptyRoot }
  const { heads, notes, refused } = await knownHeads(deps)
  const newest = heads.at(-1)
  const nothing = { missing: [], from: {}, lastSigned: newest, lostNotes: [] }
  const result = { ledger, had: head.size, size: head.size, signed: newest?.size ?? 0, ...nothing, refused }
  const before = heads.filter(({ size }) => size <= head.size)
  for (const known of before) if (!(await hasRoot(deps, known))) return { ...result, verdict: 'other', refused: [...refused, `the first ${known.size} records here are not those of the head that ${known.of} holds`] } // oxfmt-ignore
  if (newest === undefined || newest.size <= head.size) return { ...result, verdict: 'whole' }

  const edge = await tree.edge(head.size, head.root)
  const wanted = heads.filter(({ size }) => size > head.size)
  const gathered = await gather({ ...deps, edge, heads: wanted })
  if (!dryRun && gathered.size > head.size) {
    const sizes = new Set(gathered.met.map(({ size }) => size))
    const slicesOf = async (run: string, part: string): Promise<number> =>
      (await store.findSubmissions(db, ledger, [], [run])).filter(({ key }) => key.startsWith(`slice:${run}/${part}/`)).length // oxfmt-ignore
    const months = new Set<string>()
    for await (const append of rebuild(spool.read(), { ledger, edge, heads: sizes, slicesOf })) {
      if (!months.has(append.month)) await ensurePartition(db, append.month)
      months.add(append.month)
      await renameTaken(db, ledger, append.submissions)
      // A crash before this statement leaves the older head, after it a larger one that leads to a signed root; the next try goes on there.
      if ((await restoreAppend(owner, append)) === undefined)
        throw new Problem('in_use', `somebody else recorded in ${ledger} meanwhile: stop the service first`)
    }
    for (const { size, note } of notes.filter((one) => sizes.has(one.size)))
      await store.publishCheckpoint(db, ledger, size, note)
  }
  const verdict = gathered.size >= newest.size ? 'recovered' : 'incomplete'
  const { size, missing } = gathered
  const lostNotes = notes.filter((one) => one.size > size).map(({ from, size: at, whole }) => ({ from, size: at, note: whole })) // oxfmt-ignore
  return { ...result, verdict, size, missing, lostNotes, from: Object.fromEntries(gathered.from), refused: [...refused, ...gathered.refused] } // oxfmt-ignore
}

interface KnownNote extends LostNote {
  /** With the cosignatures that it has over there. */
  whole: string
}

/** Every head that our key has signed and somebody still has, in order of size; of one size each root once. */
async function knownHeads({ ledger, origin, keys, last, sources }: RecoverDeps): Promise<{ heads: SignedHead[]; notes: KnownNote[]; refused: string[] }> {
  const heads: SignedHead[] = last === undefined ? [] : [{ ...last, of: 'the guard' }]
  const notes: KnownNote[] = []
  const refused: string[] = []
  for (const source of sources) {
    try {
      const note = await source.note(ledger)
      if (note === undefined) continue
      const { size, root } = await openCheckpoint(note, origin, keys)
      const whole = new TextDecoder().decode(note)
      notes.push({ from: source.name, size, note: ownNote(whole, origin), whole })
      if (!heads.some((one) => one.size === size && equalHashes(one.root, root))) heads.push({ size, root, of: source.name })
    } catch (error) {
      if (!(error instanceof LogError || error instanceof Problem)) throw error
      refused.push(`the head that ${source.name} has: ${error.message}`)
    }
  }
  return { heads: heads.toSorted((a, b) => a.size - b.size), notes: notes.toSorted((a, b) => a.size - b.size), refused }
} // oxfmt-ignore

/** Without what others have signed: cosignatures have a table of their own. */
function ownNote(note: string, origin: string): string {
  const middle = note.lastIndexOf('\n\n') + 2
  const lines = note.slice(middle).split('\n')
  return `${note.slice(0, middle)}${lines.filter((line) => line.startsWith(`— ${origin} `)).join('\n')}\n`
}

async function hasRoot({ db, ledger, tree }: RecoverDeps, { size, root }: SignedHead): Promise<boolean> {
  const known = await store.findHead(db, ledger, size)
  if (known !== undefined) return equalHashes(known.root, root)
  return tree.edge(size, root).then(
    () => true,
    (error: unknown) => {
      if (error instanceof Problem && error.code === 'integrity') return false
      throw error
    },
  )
}

async function ensurePartition(db: Queryable, month: string): Promise<void> {
  await db.query({ text: 'select ensure_partitions($1::date, 1)', values: [month] })
}

/** A key that was derived and is taken, here or in the same append, was another one: the record keeps a key of its own. */
async function renameTaken(
  db: Queryable,
  ledger: LedgerName,
  submissions: { key: string; firstSeq: number }[],
): Promise<void> {
  const taken = new Set((await store.findSubmissions(db, ledger, submissions.map(({ key }) => key), [])).map(({ key }) => key)) // oxfmt-ignore
  for (const submission of submissions) {
    if (taken.has(submission.key)) submission.key = `recovered:${ledger}-${submission.firstSeq}`
    taken.add(submission.key)
  }
}
