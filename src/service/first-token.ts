import { join } from 'node:path'
import { ensureOperatorToken } from '../access/first-token.ts'
import { describeToken } from '../access/tokens.ts'
import type { Config } from '../config.ts'
import type { Database } from '../database/database.ts'
import type { LedgerName } from '../record/record.ts'
import { insertLocalCommand } from '../watch/local-commands.ts'

/** A service that nobody could operate makes a token that can, and says so on record as for one that a person makes. Returns its file. */
export async function ensureFirstToken(
  db: Database,
  config: Pick<Config, 'data_dir' | 'org'>,
  operations: LedgerName,
): Promise<string> {
  const file = join(config.data_dir, 'operator-token')
  await db.transaction(async (tx) => {
    const issued = await ensureOperatorToken(tx, file, config.org)
    if (issued === undefined) return
    const command = {
      command: 'token.create',
      fields: describeToken(issued),
      by: 'start',
      at: issued.createdAt,
    } as const
    await insertLocalCommand(tx, operations, command)
  })
  return file
}
