import { hash } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Queryable } from '../database/database.ts'
import type { Book } from '../ledger/book.ts'
import * as store from '../ledger/store.ts'
import { openCheckpoint } from '../log/checkpoint.ts'
import { LogError } from '../log/log-error.ts'
import { type TrustedKey, parseTrustedKey } from '../log/trusted-key.ts'
import { compareHead } from '../publish/compare-copy.ts'
import { Problem } from '../record/problem.ts'
import { type LedgerName, ledgerStem } from '../record/record.ts'
import { realFileEffects, replaceFile } from '../signing/durable-file.ts'
import type { Signer } from '../signing/signer.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Finding } from '../watch/alerts.ts'

/**
 * Compares the newest head of each ledger with what stands outside the database: before anything is recorded, and then from time to time. A
 * database that is older than what was signed, or another one, is not recorded in; it is read on, and both heads are kept.
 */
export interface Heads {
  /**
   * With every place: what differs there and proves nothing. What proves a rollback stops the book. Of a place that cannot be read now, what
   * was found there last: not to record because of it would put a reader's place above the service.
   */
  compare(book: Book): Promise<Finding[]>
  /**
   * The same with a signed note that somebody else holds. `where` is for people. `onlyOurs`: what our key has not signed says nothing there,
   * where others write too.
   */
  compareWith(book: Book, note: Uint8Array, where: string, onlyOurs?: boolean): Promise<Finding | undefined>
  /** Writes down both heads of a book that was stopped for another reason than this comparison. */
  keep(book: Book): Promise<void>
}

/** Where a signed head of each ledger is kept by others. */
export interface HeadPlace {
  /** For people. */
  name: string
  /** See `compareWith`. */
  onlyOurs: boolean
  /** The note, as it is there. Rejects when it cannot be read. */
  read(ledger: LedgerName, signal: AbortSignal): Promise<Uint8Array | undefined>
}

export interface HeadsDeps {
  db: Queryable
  signer: Signer
  originOf: (ledger: LedgerName) => string
  places: readonly HeadPlace[]
  /** Both heads of a rollback are written there. */
  folder: string
  now: () => Date
  log: Logger
}

/** So long each place has to show its head: a start waits for it. */
const readWithinMs = 10_000

export function createHeads({ db, signer, originOf, places, folder, now, log }: HeadsDeps): Heads {
  /** By ledger and place. */
  const found = new Map<string, Finding>()

  async function evidence(book: Book, detail: string, theirs: string): Promise<void> {
    const { ledger } = book
    const { head } = await store.readHead(db, ledger)
    const newest = await store.newestCheckpoint(db, ledger)
    const ours = { size: head?.size ?? 0, root: head?.root.toString('base64'), checkpoint: newest?.note }
    const document = { ledger, found_at: now().toISOString(), detail, ours, theirs }
    // Named by what it is about: the same finding at each start is one file.
    const name = `${ledgerStem(ledger)}-${hash('sha256', JSON.stringify({ ours, theirs })).slice(0, 12)}.json`
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await replaceFile(realFileEffects, join(folder, name), `${JSON.stringify(document, undefined, 2)}\n`, 0o600)
    log.error('heads.differ', { ledger, detail, evidence: join(folder, name) })
  }

  const compareWith: Heads['compareWith'] = async (book, note, where, onlyOurs = false) => {
    const { ledger, tree, publisher } = book
    // Read after the note: what was signed in between is in it.
    const { head } = await store.readHead(db, ledger)
    const hasRoot = async (size: number, root: Uint8Array): Promise<boolean> => {
      const known = await store.findHead(db, ledger, size)
      if (known !== undefined) return Buffer.compare(known.root, root) === 0
      return tree.edge(size, root).then(
        () => true,
        (error: unknown) => {
          if (error instanceof Problem && error.code === 'integrity') return false
          throw error
        },
      )
    }
    const keys = (await signer.keys(ledger)).map(parseTrustedKey)
    if (onlyOurs && !(await isOurs(note, originOf(ledger), keys))) return undefined
    const verdict = await compareHead(note, where, { origin: originOf(ledger), keys, size: head?.size ?? 0, hasRoot })
    if (verdict.kind === 'same') return undefined
    const text = Buffer.from(note).toString()
    if (verdict.kind === 'mismatch')
      return { code: 'log_mismatch', subject: `${ledger} in ${where}`, detail: verdict.detail }
    await evidence(book, verdict.detail, text)
    publisher.halt(new Problem('rollback_detected', `${verdict.detail}. Theirs: ${JSON.stringify(text)}`))
    return undefined
  }

  const compareAt = async (book: Book, { name, onlyOurs, read }: HeadPlace): Promise<Finding | undefined> => {
    const { ledger } = book
    const at = `${ledger} ${name}`
    let note: Uint8Array | undefined
    try {
      note = await within(readWithinMs, (signal) => read(ledger, signal))
    } catch (error) {
      log.warn('heads.unread', { ledger, where: name, error })
      return found.get(at)
    }
    const finding = note === undefined ? undefined : await compareWith(book, note, name, onlyOurs)
    if (finding === undefined) found.delete(at)
    else found.set(at, finding)
    return finding
  }

  return {
    compareWith,
    async compare(book) {
      const findings = await Promise.all(places.map((place) => compareAt(book, place)))
      return findings.filter((one) => one !== undefined)
    },
    async keep(book) {
      const stopped = book.publisher.stopped()
      if (stopped?.code !== 'rollback_detected') return
      const last = await signer.last(book.ledger)
      const signed =
        last === undefined ? 'nothing' : `${last.size} records, root ${Buffer.from(last.root).toString('base64')}`
      await evidence(book, stopped.message, `the guard: ${signed}`)
    },
  }
}

async function isOurs(note: Uint8Array, origin: string, keys: readonly TrustedKey[]): Promise<boolean> {
  return openCheckpoint(note, origin, keys).then(
    () => true,
    (error: unknown) => {
      if (error instanceof LogError) return false
      throw error
    },
  )
}

/** What cannot be aborted is left to end by itself. */
async function within<T>(ms: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const signal = AbortSignal.timeout(ms)
  const { promise, reject } = Promise.withResolvers<never>()
  signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  return Promise.race([work(signal), promise])
}
