import { answerLineage } from '../src/answers/lineage.ts'
import type { LineageAsk } from '../src/answers/lineage-start.ts'
import { createDatabase } from '../src/database/database.ts'
import { createGenerations } from '../src/ledger/generations.ts'
import { createReader } from '../src/ledger/read.ts'
import { createWatch } from '../src/ledger/watch.ts'
import type { LedgerName } from '../src/record/record.ts'
import { type Check, type Figure, median, printNumber } from './figure.ts'
import type { BenchService } from './service.ts'
import { createRandom } from './year.ts'

/** Lineages of records, runs and commits of the year that measureHistory made, each asked for once: nothing of it was read before. */

const ledgers: LedgerName[] = ['year/unit', 'year/integration']
const goal = 15

export async function measureLineage(service: BenchService, questions: number, check: Check): Promise<Figure[]> {
  const db = createDatabase({ url: await service.databaseUrl(), maxConnections: 8, queryTimeoutMs: 600_000 })
  try {
    const reader = createReader(db, createWatch(db))
    const deps = { db, reader, generations: createGenerations('year', []), now: () => new Date() }
    const random = createRandom(11)
    const asks: Pick<LineageAsk, 'kind' | 'id'>[] = []
    for (let i = 0; i < questions; i++) {
      const ledger = ledgers[i % ledgers.length] ?? 'year/unit'
      const size = (await reader.published(ledger))?.size ?? 0
      if (i % 3 === 0) {
        const [record] = (await reader.readBatch(ledger, random(size), { maxRecords: 1 })).records
        if (record !== undefined) asks.push({ kind: 'record', id: record.id })
        continue
      }
      const { rows } = await db.query<{ run: string; commit: string }>({
        text: `select run, encode(commit, 'hex') as commit from proofline_derived.history_declared where ledger = $1 and seq >= $2 order by seq limit 1`,
        values: [ledger, random(size)],
      })
      for (const { run, commit } of rows) asks.push(i % 3 === 1 ? { kind: 'run', id: run } : { kind: 'commit', id: commit })
    }
    // A process of its own would have read nothing: what the questions above read of segments is not what these read first.
    const cold = createReader(db, createWatch(db))
    const [took, before] = [[] as number[], process.cpuUsage()]
    for (const ask of asks) {
      const began = performance.now()
      const question = { ...ask, repository: undefined, isVisible: () => true, asOf: undefined }
      const { lineage } = await answerLineage({ ...deps, reader: cold }, [...ledgers, 'year/changes'], question)
      const text = JSON.stringify(lineage)
      took.push(performance.now() - began)
      check('a lineage leads to a checkpoint', text.includes('"kind":"checkpoint"'), text.slice(0, 200))
    }
    const { user, system } = process.cpuUsage(before)
    took.sort((a, b) => a - b)
    const p99 = took[Math.ceil(took.length * 0.99) - 1] ?? Number.NaN
    const cpu = (user + system) / 1000 / took.length
    const note = `${asks.length} records, runs and commits; p50 ${printNumber(median(took))} ms, CPU ${printNumber(cpu)} ms a question`
    return [{ what: 'lineage, 12 months, p99', unit: 'ms', measured: p99, target: goal, better: 'less', runs: [p99], note, limit: 'round trips to the database' }] // oxfmt-ignore
  } finally {
    await db.end()
  }
} // oxfmt-ignore
