import type { Database } from '../database/database.ts'
import { sqlState } from '../database/failure.ts'
import type { Edge } from '../log/merkle.ts'
import { Problem } from '../record/problem.ts'
import type { LedgerName, Micros } from '../record/record.ts'
import type { Logger } from '../telemetry/logger.ts'
import { type Append, type Batch, type Head, type PlacedSubmission, type SuiteOnRef, startBatch } from './batch.ts'
import { type Known, type Made, type Submission, decideGroup, viewOf } from './decide.ts'
import type { Checkpoint, Publisher } from './publisher.ts'
import { insertAppend } from './insert-append.ts'
import { toAppendProblem } from './append-problem.ts'
import { type Waiting, createAppendQueue } from './append-queue.ts'
import { recheck } from './recheck.ts'
import { findLastCounting } from './seal-rows.ts'
import * as store from './store.ts'
import { createTurns } from './turns.ts'

/**
 * Records submissions: group commit against one head, with a decision per submission. The fence is the primary key of `heads`: whoever
 * loses it, or does not know whether it won, reads the head again and decides anew; a submission that did get in is then found under its
 * key. So a crash, a lost answer or a second node can neither lose nor double a record. Callers are answered after the signature.
 */

export interface Recorded {
  key: string
  firstSeq: number
  lastSeq: number
  firstTime: Micros
  /** False for the caller whose submission made the records, true for everyone who brought the same again. */
  repeated: boolean
  checkpoint: Checkpoint
  /** Payload of the first record, where this append made it. */
  payload?: Buffer | undefined
}

export interface Appender {
  /** Records a group together or not at all. Rejects with a Problem when one is refused, or when recording is not possible now. */
  submit(group: readonly Submission[]): Promise<Recorded[]>
  /** Waits for what was submitted; afterwards nothing is taken. */
  close(): Promise<void>
}

export interface AppenderDeps {
  ledger: LedgerName
  db: Database
  publisher: Publisher
  log: Logger
  /** Payload of a recorded record; for seals, which sum up their parts. */
  readPayload: (seq: number) => Promise<Buffer>
  /** Leaf hashes of the recorded records [from, to); for seals, which bind their run's. */
  leafHashes: (from: number, to: number) => Promise<Buffer>
  /** Raw payloads of the recorded segment at this seq: what a new one takes as its dictionary. */
  rawSegment: (firstSeq: number) => Promise<Uint8Array>
  /** What a head of this size, with this root, is appended to. */
  edge: (size: number, root: Uint8Array) => Promise<Edge>
  /** Called with each append whose commit came back clean, before it is signed. */
  onCommitted?: (append: Append) => void
  /** Observes each append: its records, the ledger's size after it, milliseconds. */
  onAppend?: (records: number, size: number, ms: number) => void
}

/** A head read from the database is trusted for the clock this long; then it is read again. */
const clockFreshMs = 10_000
const giveUpMs = 30_000
/** Between two steps of some milliseconds each: the event loop is HTTP's too. */
const breathe = (): Promise<void> => new Promise((done) => setImmediate(done))

export function createAppender(deps: AppenderDeps): Appender {
  const { ledger, db, publisher, log } = deps
  const turns = createTurns(db, ledger)
  const queue = createAppendQueue()
  let head: Head | undefined
  let clock = { micros: 0, readAt: -Infinity }
  let running: Promise<void> | undefined
  let closed = false

  const now = (): Micros => Math.floor(clock.micros + (performance.now() - clock.readAt) * 1000)

  const readHead = async (): Promise<Head> => {
    const known = await publisher.known()
    const { head: row, clock: micros } = await store.readHead(db, ledger)
    if (row === undefined) throw new Error(`${ledger} has no genesis`)
    // A replica without the last commits was promoted, or a backup brought back. The signature would be refused; but what was recorded before
    // that would stand in the way of what `recover` puts back.
    if (row.size < known) {
      const why = new Problem('rollback_detected', `${ledger} has ${row.size} records, there were ${known} before`)
      publisher.halt(why)
      throw why
    }
    clock = { micros, readAt: performance.now() }
    head = { ledger, edge: await deps.edge(row.size, row.root), root: row.root, lastTime: row.lastTime }
    return head
  }

  /** One group commit. Everything that decides is pure; the one effect is insertAppend. */
  const commit = async (batch: Waiting[]): Promise<void> => {
    const stopped = publisher.stopped()
    if (stopped !== undefined) throw stopped
    if (turns.contended()) head = undefined
    const release = await turns.take()
    try {
      const from = head !== undefined && performance.now() - clock.readAt < clockFreshMs ? head : await readHead()
      if (from.lastTime > now() + 2_000_000)
        throw new Problem('clock_step', 'the database clock is behind the last record by more than 2 s')
      const known = await readKnown(batch.flatMap((w) => w.group))
      const building = startBatch(from, now())
      const settled = await place(batch, known, building)
      if (settled === undefined) return queue.putBack(batch)
      if (building.records() === 0) return settle(settled)
      await breathe()
      const append = building.finish()
      await breathe()
      await recheck(append, from.edge, deps.rawSegment)
      const began = performance.now()
      for (const waiting of batch) waiting.attempted = true
      // A crash after this statement committed leaves a head without a signature; at start the newest head is signed.
      const at = await insertAppend(db, append).catch(async (error: unknown) => {
        if (sqlState(error) === 'PL003') await readHead() // tells when the head that it extends is there no more
        throw error
      })
      if (at === undefined) {
        head = undefined
        turns.lost()
        for (const waiting of batch) waiting.attempted = false
        return queue.putBack(batch)
      }
      clock = { micros: at, readAt: began }
      head = append.next
      deps.onAppend?.(building.records(), append.next.edge.size, performance.now() - began)
      deps.onCommitted?.(append)
      publisher.offer(append.next)
      settle(settled)
    } finally {
      await release()
    }
  }

  const readKnown = async (submissions: readonly Submission[]): Promise<Map<string, Known>> => {
    const keys = new Set<string>()
    const runs = new Set<string>()
    for (const { key, run } of submissions) {
      keys.add(key)
      if (run === undefined) continue
      runs.add(run)
      keys.add(`run:${run}`).add(`end:${run}`)
    }
    const rows = await store.findSubmissions(db, ledger, [...keys], [...runs])
    return new Map(rows.map((row) => [row.key, row]))
  }

  interface Settled {
    waiting: Waiting
    recorded: (PlacedSubmission & Pick<Recorded, 'repeated' | 'payload'>)[]
    refused?: Problem
  }

  const place = async (
    batch: Waiting[],
    known: Map<string, Known>,
    building: Batch,
  ): Promise<Settled[] | undefined> => {
    const settled: Settled[] = []
    for (const waiting of batch) {
      const decisions = decideGroup(waiting.group, known)
      const last = decisions.at(-1)
      if (last?.kind === 'refused') {
        settled.push({ waiting, recorded: [], refused: last.problem })
        continue
      }
      const recorded: Settled['recorded'] = []
      try {
        for (const submission of waiting.group) {
          const first = known.get(submission.key)
          if (first === undefined) {
            const placed = await add(submission, known, building)
            recorded.push({ ...placed, repeated: false, payload: building.payload(placed.firstSeq) })
          } else recorded.push({ ...first, key: submission.key, repeated: !waiting.attempted })
        }
      } catch (error) {
        // A part or seal could not be made from the run's records. Its group may stand half in this batch: the batch is given up.
        batch.splice(batch.indexOf(waiting), 1)
        waiting.reject(error)
        return undefined
      }
      settled.push({ waiting, recorded })
    }
    return settled
  }

  const add = async (submission: Submission, known: Map<string, Known>, building: Batch): Promise<PlacedSubmission> => {
    const made: Made =
      typeof submission.segments === 'function'
        ? await submission.segments(atHead(submission, known, building))
        : { segments: submission.segments }
    const placed = building.add(submission.key, submission.digest, made.segments)
    if (made.seal !== undefined) building.addSeal({ ...made.seal, seq: placed.firstSeq })
    known.set(submission.key, placed)
    if (placed.lastSeq - placed.firstSeq > 512) await breathe()
    return placed
  }

  const atHead = (submission: Submission, known: Map<string, Known>, building: Batch) => ({
    ...building.next(),
    run: viewOf(known, submission.run),
    async leafHashes(from: number, to: number) {
      const own = building.leafHashesFrom(Math.max(from, building.base), to)
      return from < building.base ? Buffer.concat([await deps.leafHashes(from, Math.min(to, building.base)), own]) : own
    },
    payload: async (seq: number) => building.payload(seq) ?? (await deps.readPayload(seq)),
    // What is newer than the head belongs to a head that makes this append lose the fence.
    lastCounting: async (suite: SuiteOnRef) =>
      building.lastCounting(suite) ?? (await findLastCounting(db, ledger, suite, building.base)),
  })

  const settle = (settled: Settled[]): void => {
    for (const { waiting, recorded, refused } of settled) {
      if (refused !== undefined) {
        waiting.reject(refused)
        continue
      }
      Promise.all(
        recorded.map(async ({ key, firstSeq, lastSeq, firstTime, repeated, payload }) => ({
          key,
          firstSeq,
          lastSeq,
          firstTime,
          repeated,
          payload,
          checkpoint: await publisher.covering(lastSeq + 1),
        })),
      ).then(waiting.resolve, waiting.reject)
    }
  }

  const run = async (): Promise<void> => {
    let failingSince: number | undefined
    while (!queue.isEmpty()) {
      const batch = queue.takeBatch()
      try {
        await commit(batch)
        failingSince = undefined
      } catch (error) {
        head = undefined // unknown outcome, or a state that has to be read again
        failingSince ??= performance.now()
        const problem = toAppendProblem(error)
        log.error('append.failed', { ledger, error: String(error), waiting: batch.length })
        if (problem !== undefined || performance.now() - failingSince > giveUpMs) {
          const answer =
            problem ??
            new Problem('unavailable', 'the database did not take the records; repeating is safe', { cause: error })
          for (const waiting of batch) waiting.reject(answer)
        } else {
          queue.putBack(batch)
          await new Promise((done) => setTimeout(done, 200))
        }
      }
    }
  }

  /** One runner at a time. What was submitted between its last look at the queue and its end is seen to here. */
  const kick = (): void => {
    running ??= run().finally(() => {
      running = undefined
      if (!queue.isEmpty()) kick()
    })
  }

  return {
    submit: (group) =>
      new Promise((resolve, reject) => {
        if (closed) throw new Problem('unavailable', 'the service is stopping')
        queue.add(group, { resolve, reject })
        kick()
      }),
    async close() {
      closed = true
      while (running !== undefined) await running
      await turns.close()
    },
  }
}
