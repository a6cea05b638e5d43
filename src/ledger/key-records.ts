import { hash } from 'node:crypto'
import type { Queryable } from '../database/database.ts'
import { parseTrustedKey } from '../log/trusted-key.ts'
import { printKeyId, printVkey } from '../log/vkey.ts'
import { Problem } from '../record/problem.ts'
import type { LedgerName, Micros } from '../record/record.ts'
import { printPayload } from '../record/run.ts'
import type { Book } from './book.ts'
import { planOf, type RecordedKey } from './key-chain.ts'
import type { LedgerReader } from './read.ts'
import { packSegment } from './segments.ts'

/** Every statement on `key` records: the keys of a ledger or of the org's statements, one record for each step of their plan. */

/** Whose keys, as records name them: a ledger, or `<org>/statement`. */
export type KeySubject = LedgerName | `${string}/statement`

export interface KeyFacts {
  of: KeySubject
  /** Name of the keys; of a ledger the origin of its log. */
  origin: string
  /** One key has one guard: the memory of what was signed last. */
  guard: string
  /** The plan as the signer has it, lines of `TrustedKey`, oldest first. */
  keys: readonly string[]
}

/** Shows that old and new key belong together: something that both signed. */
export type KeyEvidence = { checkpoint: string } | { statement: string }

export interface KeyRecord extends RecordedKey {
  recordedAt: Micros
}

/** What is on record, in the order in which it happened. */
export async function readKeyRecords(
  db: Queryable,
  reader: LedgerReader,
  operations: LedgerName,
  of: KeySubject,
): Promise<KeyRecord[]> {
  // `#` is no character of a ledger's name, so that nothing of another one lies between.
  const { rows } = await db.query<{ firstSeq: number; firstTime: number }>({
    name: 'key_records',
    text: `select first_seq as "firstSeq", first_time as "firstTime" from submissions
           where ledger = $1 and (key = 'key:' || $2::text or (key > 'key:' || $2::text || '#' and key < 'key:' || $2::text || '$'))
           order by first_seq`,
    values: [operations, of],
  })
  return Promise.all(
    rows.map(async ({ firstSeq, firstTime }) => ({
      ...(JSON.parse((await reader.payload(operations, firstSeq)).toString()) as RecordedKey), // this file wrote it
      recordedAt: firstTime,
    })),
  )
}

/**
 * Compares the keys with what is on record and throws Problem('signer_not_current') when the origin or the guard is another one, or the plan
 * does not go on from the recorded one: a second guard would not know what the first one signed, and an older plan would sign with a key that
 * was retired. A plan that is ahead of the records is one whose record a crash prevented. To be called before anything is recorded.
 */
export async function checkKeyRecords(
  db: Queryable,
  reader: LedgerReader,
  operations: LedgerName,
  facts: KeyFacts,
): Promise<void> {
  const records = await readKeyRecords(db, reader, operations, facts.of)
  const differs = (what: string, recorded: string, found: string | undefined, help: string): never => {
    throw new Problem('signer_not_current', `${facts.of} was opened with ${what} ${recorded}, this service has ${found ?? 'none'}; ${help}`) // oxfmt-ignore
  }
  const bringBack = 'bring back the data folder, or the signer, that holds the first one'
  for (const { origin, guard } of records) {
    if (origin !== facts.origin) differs('origin', origin, facts.origin, 'public_host cannot change')
    if (guard !== facts.guard) differs('guard', guard, facts.guard, bringBack)
  }
  for (const [i, recorded] of planOf(records).entries()) {
    const line = facts.keys[i]
    const key = line === undefined ? undefined : parseTrustedKey(line)
    if (key === undefined || printVkey(key) !== recorded.vkey || key.from !== recorded.from)
      differs('vkey', recorded.vkey, line, bringBack)
    else if (recorded.until !== undefined && key.until !== recorded.until)
      differs(
        'vkey',
        `${recorded.vkey} until=${recorded.until}`,
        line,
        'bring back the keys folder as it is since then',
      )
  }
}

/**
 * Puts on record what of the plan is not yet; each step of it has one record, whoever is first. A crash between the signer's step and this
 * leaves it to the next start.
 */
export async function recordKeys(
  operations: Book,
  facts: KeyFacts,
  known: readonly RecordedKey[],
  evidenceOf: (at: { from: number; until: number | undefined }) => Promise<KeyEvidence | undefined>,
): Promise<void> {
  const plan = planOf(known)
  const { of, origin, guard } = facts
  const keys = facts.keys.map(parseTrustedKey)
  const submit = async (key: string, fields: object): Promise<void> => {
    const payload = printPayload('key', operations.ledger, { of, origin, ...fields })
    const digest = hash('sha256', payload, 'buffer')
    const segments = [packSegment('key', [payload])]
    await operations.appender.submit([{ key, digest, firstWins: true, conflict: 'internal', segments }])
  }
  for (const [i, key] of keys.entries()) {
    const vkey = printVkey(key)
    const before = keys[i - 1]
    if (plan[i] === undefined && before === undefined) await submit(`key:${of}`, { vkey, guard })
    else if (plan[i] === undefined && before !== undefined) {
      const from = key.from ?? 0
      const evidence = await evidenceOf({ from, until: before.until })
      await submit(`key:${of}#${printKeyId(key.id)}`, { vkey, guard, replaces: printVkey(before), from, ...evidence })
    }
    const after = before?.until === undefined || plan[i - 1]?.until !== undefined ? undefined : before
    if (after?.until === undefined) continue
    const evidence = await evidenceOf({ from: key.from ?? 0, until: after.until })
    await submit(`key:${of}#${printKeyId(after.id)}/retired`, { vkey, guard, retires: printVkey(after), until: after.until, ...evidence }) // oxfmt-ignore
  }
}
