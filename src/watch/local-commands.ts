import { randomUUID } from 'node:crypto'
import type { Queryable } from '../database/database.ts'
import type { Book } from '../ledger/book.ts'
import { packSegment } from '../ledger/segments.ts'
import { Problem } from '../record/problem.ts'
import { type LedgerName, type Micros, firstGeneration, printTime } from '../record/record.ts'
import { printPayload } from '../record/run.ts'

/**
 * Commands that work on the database without the service. The row is inserted in the transaction of what the command does: somebody who is
 * locked out gets in again while nothing can be recorded, and is on record for it afterwards. Every statement on `local_commands` is here.
 */
export interface LocalCommand {
  command: 'token.create' | 'token.revoke' | 'producer.create' | 'producer.revoke' | 'session.revoke' | 'history.rebuild' // oxfmt-ignore
  /** Members of the record: which one, and what it may do. Never a secret, a name or an address. */
  fields: Readonly<Record<string, unknown>>
  /** `uid:<number>`, or what of the service did it by itself. */
  by: string
  at: Micros
}

const maxFieldsBytes = 4_096

/** `operations` of any generation. Throws Problem record_too_large. */
export async function insertLocalCommand(db: Queryable, operations: LedgerName, one: LocalCommand): Promise<void> {
  const fields = JSON.stringify(one.fields)
  if (Buffer.byteLength(fields) > maxFieldsBytes)
    throw new Problem('record_too_large', 'a record cannot hold so many repositories: name a prefix, as github.com/acme/*') // oxfmt-ignore
  const { rowCount } = await db.query({
    name: 'insert_local_command',
    text: `insert into local_commands (ledger, id, command, fields, by_whom, at) values ($1, $2, $3, $4, $5, $6) returning id`,
    values: [firstGeneration(operations), randomUUID(), one.command, fields, one.by, one.at],
  })
  if (rowCount !== 1) throw new Error(`the command ${one.command} was not stored`)
}

interface Row {
  id: string
  command: string
  fields: string
  by: string
  at: Micros
}

const atOnce = 100

/**
 * Puts on record what is not. The key makes it the same record when another process does so too, or this one died after it. Generations
 * of `operations` that were closed count: what stands there is on record. Rejects when recording is not possible now.
 */
export async function recordLocalCommands(
  db: Queryable,
  operations: Pick<Book, 'ledger' | 'appender'>,
  generations: readonly LedgerName[],
): Promise<void> {
  for (;;) {
    const { rows } = await db.query<Row>({
      name: 'unrecorded_local_commands',
      text: `select id, command, fields, by_whom as by, at from local_commands as c where ledger = $1 and not exists (
               select from submissions as s where s.ledger = any($2) and s.key = 'command:' || c.id)
             order by at, id limit $3`,
      values: [firstGeneration(operations.ledger), generations, atOnce],
    })
    await Promise.all(rows.map((row) => submit(operations, row)))
    if (rows.length < atOnce) return
  }
}

async function submit({ ledger, appender }: Pick<Book, 'ledger' | 'appender'>, row: Row): Promise<void> {
  const { id, command, fields, by, at } = row
  const payload = printPayload('command', ledger, {
    command,
    ...(JSON.parse(fields) as object), // insertLocalCommand wrote it
    by: { method: 'local', subject: by },
    commanded_at: printTime(at),
    command_id: id,
  })
  await appender.submit([
    { key: `command:${id}`, digest: Buffer.alloc(32), conflict: 'internal', segments: [packSegment('command', [payload])] }, // oxfmt-ignore
  ])
}
