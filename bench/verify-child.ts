import { createDatabase } from '../src/database/database.ts'
import { auditDatabase } from '../src/ledger/audit-database.ts'
import { createReader } from '../src/ledger/read.ts'
import { createWatch } from '../src/ledger/watch.ts'
import { parseVkey } from '../src/log/vkey.ts'
import type { LedgerName } from '../src/record/record.ts'
import { childEnd, childInput } from './proc.ts'

export interface VerifyInput {
  databaseUrl: string
  ledger: LedgerName
  origin: string
  vkey: string
  runs: number
}

/** `wall` and `cpu` in seconds, one entry a run; the first is as a command does it, without a warm-up. */
export interface VerifyAnswer {
  records: number
  signed: number
  differences: number
  wall: number[]
  cpu: number[]
}

const { databaseUrl, ledger, origin, vkey, runs } = childInput<VerifyInput>()
const db = createDatabase({ url: databaseUrl })
const answer: VerifyAnswer = { records: 0, signed: 0, differences: 0, wall: [], cpu: [] }
for (let run = 0; run < runs; run++) {
  const used = process.cpuUsage()
  const began = performance.now()
  const result = await auditDatabase({
    db,
    reader: createReader(db, createWatch(db)),
    ledger,
    origin,
    vkeys: [parseVkey(vkey)],
    signal: new AbortController().signal,
  })
  answer.wall.push((performance.now() - began) / 1000)
  const { user, system } = process.cpuUsage(used)
  answer.cpu.push((user + system) / 1e6)
  answer.records = result.size
  answer.signed = result.signed
  answer.differences += result.differenceCount
}
await db.end()
await childEnd(answer)
