import { createDatabase } from '../src/database/database.ts'
import type { LedgerName } from '../src/record/record.ts'
import { createMemorySigner, openNode } from '../test/support/ledger.ts'
import { childEnd, childInput } from './proc.ts'
import { type LedgerYear, type YearSize, recordYear } from './year.ts'

export interface YearInput {
  databaseUrl: string
  ledger: LedgerName
  size: YearSize
}

/** Seconds of wall and of this process' CPU. */
export type YearAnswer = LedgerYear & { wall: number; cpu: number }

const { databaseUrl, ledger, size } = childInput<YearInput>()
const db = createDatabase({ url: databaseUrl, queryTimeoutMs: 600_000 })
const { book } = await openNode(db, await createMemorySigner(), 'bench', ledger)
const [began, before] = [performance.now(), process.cpuUsage()]
const year = await recordYear(book, size)
const { user, system } = process.cpuUsage(before)
const answer: YearAnswer = { ...year, wall: (performance.now() - began) / 1000, cpu: (user + system) / 1e6 }
await book.close()
await db.end()
await childEnd(answer)
