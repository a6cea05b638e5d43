import { type Principal, may } from '../access/principal.ts'
import type {
  Declaration,
  DeclarationAnswer,
  InventoryAnswer,
  LineMapsAnswer,
  LineMapsQuery,
  PartReceipt,
  PushAnswer,
  SealReceipt,
  SealRequest,
  SealWaiting,
} from '../api/runs.ts'
import type { Queryable } from '../database/database.ts'
import type { Recorded } from '../ledger/appender.ts'
import type { Book } from '../ledger/book.ts'
import type { Submission } from '../ledger/decide.ts'
import type { Generations } from '../ledger/generations.ts'
import type { LedgerReader } from '../ledger/read.ts'
import { packSegment } from '../ledger/segments.ts'
import { Problem } from '../record/problem.ts'
import { type LedgerName, printTime, testTypes } from '../record/record.ts'
import { createClosing } from './closing.ts'
import { createBuilds } from './builds.ts'
import { createClosedRuns } from './closed-runs.ts'
import { byOf, demandBound, jobOf } from './identity.ts'
import type { Judge } from './judge.ts'
import { type LineMaps, lineMapsAnswer } from './line-maps.ts'
import type { PartRequest, Parts } from './parts.ts'
import type { ParsePool } from './pool.ts'
import { type AnsweredRecord, partReceipt, recordJustMade, sealReceipt } from './receipts.ts'
import type { RecordingRefusals } from './refusals.ts'
import { runPayload } from './run-record.ts'
import { declarationDigest, keys, sealDigest } from './run.ts'
import type { RunsStore } from './runs-store.ts'
import { takeInventory } from './take-inventory.ts'
import type { Offered, RunFields } from './submissions.ts'

/**
 * Decides what enters. Every method is safe to repeat: the same content again gives the first answer, other content under the same name
 * is refused; every refusal of a caller with valid credentials is itself a record.
 */
export interface Admission {
  declare(who: Principal, run: string, body: Declaration): Promise<Admitted<DeclarationAnswer>>
  addInventory(who: Principal, run: string, body: AsyncIterable<Uint8Array>): Promise<Admitted<InventoryAnswer>>
  addLineMaps(
    who: Principal,
    run: string,
    query: LineMapsQuery,
    body: AsyncIterable<Uint8Array>,
  ): Promise<Admitted<LineMapsAnswer>>
  addPart(who: Principal, run: string, part: PartRequest): Promise<Admitted<PartReceipt>>
  /** Waits for shards where the seal asks for more than there are: nothing is recorded then, and asking again is safe. */
  close(who: Principal, run: string, body: SealRequest): Promise<Admitted<SealReceipt | SealWaiting>>
  push(
    who: Principal,
    run: string,
    push: { declaration: Declaration; part: PartRequest; seal: SealRequest },
  ): Promise<Admitted<PushAnswer>>
}

/** `created` is false when the same content had been recorded before. */
export interface Admitted<T> {
  created: boolean
  answer: T
}

export interface AdmissionDeps {
  org: string
  db: Queryable
  generations: Generations
  bookOf: (ledger: LedgerName) => Book
  reader: LedgerReader
  runs: RunsStore
  parts: Parts
  pool: ParsePool
  lineMaps: LineMaps
  recordingRefusals: RecordingRefusals
  judge: Judge
  maxInventoryFiles: number
}

export function createAdmission(deps: AdmissionDeps): Admission {
  const { db, generations, bookOf, reader, runs, parts, lineMaps } = deps
  const demandNew = createClosedRuns(db, generations)
  const builds = createBuilds(db, generations, bookOf(generations.now('changes')), reader)

  const ledgerOf = (run: string): LedgerName => {
    const type = testTypes.find((one) => run.endsWith(`.${one}`))
    if (type === undefined) throw new Error(`${run} names no test type`) // a run id is checked at the door
    return generations.now(type)
  }

  const recordingRefusals = <T>(offered: Offered & { run: string }, work: () => Promise<T>): Promise<T> =>
    deps.recordingRefusals(offered, async () => {
      await demandNew(offered.ledger, offered.run)
      return work()
    })

  const keptKeys = new Set<string>()
  /** The public key that the record names, for whoever asks years later which key was believed. */
  const keepKey = async (key: Uint8Array): Promise<void> => {
    const name = Buffer.from(key).toString('latin1')
    if (keptKeys.has(name)) return
    await parts.keepList(key)
    keptKeys.add(name)
  }

  const firstRecord = async (ledger: LedgerName, recorded: Recorded): Promise<AnsweredRecord> => {
    const { firstSeq } = recorded
    const record =
      recordJustMade(ledger, recorded) ?? (await reader.readBatch(ledger, firstSeq, { maxRecords: 1 })).records[0]
    if (record === undefined) throw new Error(`${ledger}: record ${firstSeq} was just recorded and is not there`)
    return record
  }

  const only = ([recorded]: Recorded[]): Recorded => {
    if (recorded === undefined) throw new Error('the appender answered nothing')
    return recorded
  }

  const demand = (who: Principal, repository: string, said = repository): void => {
    if (!may(who, 'push', { org: deps.org, repository }))
      throw new Problem('forbidden', `this credential may not push for ${said}`)
  }

  /** The run as it was declared, for whoever may push for its repository. */
  const declared = async (who: Principal, run: string, offered: Offered): Promise<RunFields> => {
    const fields = await runs.getRun(offered.ledger, run)
    offered.repository = fields.repository
    offered.commit = fields.commit
    demand(who, fields.repository, `the repository of ${run}`) // whose it is, it is not told
    demandBound(who, fields)
    return fields
  }

  const runSubmission = async (
    who: Principal,
    run: string,
    offered: Offered,
    body: Declaration,
  ): Promise<{ fields: RunFields; submission: Submission }> => {
    demand(who, body.repository)
    demandBound(who, { ...body, run })
    const { ledger } = offered
    if (!run.endsWith(`.${body.test_type}`))
      throw new Problem('test_type_mismatch', `${run} does not end in .${body.test_type}`)
    const { build, repository, commit, ref } = body
    const build_seq = build === undefined ? undefined : await builds.numberOf({ repository, build, commit, ref })
    const { fields, payload, list } = runPayload(ledger, run, body, build_seq, byOf(who), who.identity?.verified)
    offered.declared = JSON.parse(Buffer.from(payload).toString()) as Record<string, unknown> // just printed
    if (list !== undefined) await parts.keepList(list)
    if (who.identity?.key !== undefined) await keepKey(who.identity.key)
    const link = await bookOf(ledger).link(body.repository, body.suite, ':run', 0)
    return {
      fields,
      submission: {
        key: keys.run(run),
        digest: declarationDigest(body),
        run,
        conflict: 'run_conflict',
        segments: [packSegment('run', [payload], link)],
      },
    }
  }

  const declarationAnswer = async (
    ledger: LedgerName,
    run: string,
    body: Declaration,
    recorded: Recorded,
  ): Promise<DeclarationAnswer> => {
    const record = await firstRecord(ledger, recorded)
    const inventory = !(await runs.hasInventory(ledger, body.repository, body.commit))
    return {
      run,
      ledger,
      id: record.id,
      seq: record.seq,
      recorded_at: printTime(record.recordedAt),
      missing: { inventory, line_maps: await lineMaps.missing(ledger, body) },
    }
  }

  const closing = createClosing({ bookOf, runs, keepList: parts.keepList, judge: deps.judge })

  const sealed = async (ledger: LedgerName, recorded: Recorded): Promise<Admitted<SealReceipt>> => ({
    created: !recorded.repeated,
    answer: sealReceipt(await firstRecord(ledger, recorded), recorded.checkpoint),
  })

  const closeRun = async (
    fields: RunFields,
    body: SealRequest,
    offered: Offered,
  ): Promise<Admitted<SealReceipt | SealWaiting>> => {
    const prepared = await closing.prepare(fields, body)
    if ('waiting' in prepared) return { created: false, answer: prepared.waiting }
    offered.lacks = prepared.lacks
    return sealed(fields.ledger, only(await bookOf(fields.ledger).appender.submit([prepared.seal])))
  }

  return {
    async declare(who, run, body) {
      const ledger = ledgerOf(run)
      const sha256 = declarationDigest(body).toString('hex')
      const offered = { ledger, run, repository: body.repository, commit: body.commit, sha256, by: byOf(who) }
      return recordingRefusals(offered, async () => {
        const { submission } = await runSubmission(who, run, offered, body)
        const recorded = only(await bookOf(ledger).appender.submit([submission]))
        return { created: !recorded.repeated, answer: await declarationAnswer(ledger, run, body, recorded) }
      })
    },

    async addInventory(who, run, body) {
      const ledger = ledgerOf(run)
      const offered = { ledger, run, by: byOf(who) }
      return recordingRefusals(offered, async () => {
        const { repository, commit, suite } = await declared(who, run, offered)
        const of = { ledger, repository, commit, suite }
        const submission = await takeInventory(deps.pool, bookOf(ledger), of, body, deps.maxInventoryFiles, who.id)
        const recorded = only(await bookOf(ledger).appender.submit([submission]))
        const total = fieldOf(await reader.payload(ledger, recorded.firstSeq), 'total')
        return {
          created: !recorded.repeated,
          answer: { repository, commit, files: total, records: [recorded.firstSeq, recorded.lastSeq] },
        }
      })
    },

    async addLineMaps(who, run, query, body) {
      const ledger = ledgerOf(run)
      const offered = { ledger, run, by: byOf(who) }
      return recordingRefusals(offered, async () => {
        const fields = await declared(who, run, offered)
        const recorded = await lineMaps.record(fields, byOf(who), query, body)
        return { created: !recorded.repeated, answer: lineMapsAnswer(await firstRecord(ledger, recorded)) }
      })
    },

    async addPart(who, run, request) {
      const ledger = ledgerOf(run)
      const offered = { ledger, run, part: request.name, by: byOf(who) }
      return recordingRefusals(offered, async () => {
        const fields = await declared(who, run, offered)
        const recorded = await parts.record(fields, { ...request, by: jobOf(who), credential: who.id }, offered)
        return {
          created: !recorded.repeated,
          answer: partReceipt(await firstRecord(ledger, recorded), recorded.checkpoint),
        }
      })
    },

    async close(who, run, body) {
      const ledger = ledgerOf(run)
      const offered = { ledger, run, sha256: sealDigest(body).toString('hex'), by: byOf(who) }
      return recordingRefusals(offered, async () => {
        return closeRun(await declared(who, run, offered), body, offered)
      })
    },

    async push(who, run, { declaration, part, seal }) {
      const ledger = ledgerOf(run)
      const offered = {
        ledger,
        run,
        part: part.name,
        repository: declaration.repository,
        commit: declaration.commit,
        by: byOf(who),
      }
      return recordingRefusals(offered, async () => {
        const { fields, submission } = await runSubmission(who, run, offered, declaration)
        const ofPart = await parts.prepare(fields, { ...part, by: jobOf(who), credential: who.id }, offered)
        const { appender } = bookOf(ledger)
        // One of several pushes: what it brings is recorded first, since only then whoever comes last sees all of it.
        const alone = seal.parts === undefined ? await closing.prepare(fields, seal) : undefined
        const sealing = alone !== undefined && 'seal' in alone ? [alone.seal] : []
        const recorded = await appender.submit([submission, ...ofPart, ...sealing])
        const [ofRun, recordedPart, end] = [recorded[0], recorded[ofPart.length], recorded[ofPart.length + 1]]
        if (ofRun === undefined || recordedPart === undefined) throw new Error('the appender answered too little')
        const ended = end === undefined ? await closeRun(fields, seal, offered) : await sealed(ledger, end)
        return {
          created: ended.created || !recordedPart.repeated,
          answer: {
            run: await declarationAnswer(ledger, run, declaration, ofRun),
            part: partReceipt(await firstRecord(ledger, recordedPart), recordedPart.checkpoint),
            seal: ended.answer,
          },
        }
      })
    },
  }
}

function fieldOf(payload: Buffer, name: string): number {
  const value = (JSON.parse(payload.toString()) as Record<string, unknown>)[name]
  return typeof value === 'number' ? value : 0
}
