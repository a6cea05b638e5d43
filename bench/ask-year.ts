import { createHistoryAnswers } from '../src/answers/history.ts'
import { createInventories } from '../src/answers/inventories.ts'
import { answerReport } from '../src/answers/report.ts'
import { createRunEvidences } from '../src/answers/run-evidence.ts'
import type { Database } from '../src/database/database.ts'
import { createHistories } from '../src/history/ledger-history.ts'
import { createReader } from '../src/ledger/read.ts'
import { createWatch } from '../src/ledger/watch.ts'
import type { LedgerName } from '../src/record/record.ts'
import { type Check, median } from './figure.ts'
import { type YearSize, commitOf, createRandom, largeRepository, pathOf, pickFile } from './year.ts'

/** Questions about the large repository of a year, in this process and without HTTP: what they take as of its end, and as of each month. */

export interface Asked {
  p50: number
  p99: number
  /** Of this process, a question, in ms. */
  cpu: number
  /** The first one, which reads what is kept between questions. */
  cold: number
  /** p99 as of each month. */
  curve: number[]
}

type Kind = 'lines' | 'files' | 'report'

/** In every right answer. */
const marks: Record<Kind, string> = {
  lines: '"run":"bench.year-',
  files: '"run":"bench.year-',
  report: '"run":"bench.year-',
}

export async function askYear(
  db: Database,
  ledgers: readonly LedgerName[],
  months: readonly string[],
  { runs, files, questions }: YearSize & { questions: number },
  check: Check,
): Promise<Record<Kind, Asked>> {
  const reader = createReader(db, createWatch(db))
  const histories = createHistories(db)
  const history = createHistoryAnswers(db, reader, histories)
  const nothing = async (): Promise<undefined> => undefined
  const ofReports = {
    db,
    reader,
    histories,
    evidences: createRunEvidences({ db, reader, readList: nothing }),
    inventories: createInventories(reader),
    contractAt: async () => ({ own: undefined, org: undefined, effective: undefined }),
  }
  const random = createRandom(7)
  const pick = (n: number): number => Math.min(n - 1, Math.floor((random(1_000_000) / 1_000_000) * n))

  /** A question as of the end of month `month`, made before it is timed. */
  const make = async (kind: Kind, month: number): Promise<() => Promise<unknown>> => {
    const asOf = months[month] ?? ''
    if (kind === 'report') {
      const commit = commitOf(largeRepository, pick(Math.floor(((month + 1) * runs) / 24)))
      return () => answerReport(ofReports, ledgers, { repository: largeRepository, commit, asOf })
    }
    const question = { repository: largeRepository, path: pathOf(pickFile(random, files)), ref: 'refs/heads/main', asOf }
    return kind === 'lines'
      ? () => history.lines(ledgers, { ...question, first: 20, last: 20 })
      : () => history.files(ledgers, question)
  } // oxfmt-ignore

  const ask = async (kind: Kind, month: number): Promise<number> => {
    const question = await make(kind, month)
    const began = performance.now()
    const text = JSON.stringify(await question())
    const took = performance.now() - began
    check(`an answer about ${kind} holds what was asked for`, text.includes(marks[kind]), text.slice(0, 200))
    return took
  }

  const askMany = async (kind: Kind): Promise<Asked> => {
    const last = months.length - 1
    const cold = await ask(kind, last)
    const curve: number[] = []
    for (const month of months.keys()) curve.push(p99(await times(questions / 4, () => ask(kind, month))))
    const before = process.cpuUsage()
    const took = await times(questions, () => ask(kind, last))
    const { user, system } = process.cpuUsage(before)
    return { p50: median(took), p99: p99(took), cpu: (user + system) / 1000 / questions, cold, curve }
  }
  const asked = {} as Record<Kind, Asked> // filled below
  for (const kind of ['lines', 'files', 'report'] as const) asked[kind] = await askMany(kind)
  return asked
}

async function times(count: number, ask: () => Promise<number>): Promise<number[]> {
  const took: number[] = []
  for (let i = 0; i < count; i++) took.push(await ask())
  return took
}

function p99(took: readonly number[]): number {
  return took.toSorted((a, b) => a - b)[Math.ceil(took.length * 0.99) - 1] ?? Number.NaN
}
