import type { Database } from '../database/database.ts'
import { Problem } from '../record/problem.ts'
import type { LedgerName } from '../record/record.ts'
import type { Signer } from '../signing/signer.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Head } from './batch.ts'
import { findUnknown } from './signer-behind.ts'
import * as store from './store.ts'
import type { Tree } from './tree.ts'

/**
 * Turns committed heads into signed checkpoints. Only a head whose commit came back clean is signed; one that this process merely sees
 * (at start, after an unknown outcome, another node's) is signed after a barrier was committed cleanly. A crash between signature and row
 * is harmless: the same head signed again gives the same bytes. One checkpoint may cover several heads.
 */

export interface Checkpoint {
  size: number
  note: string
}

export interface Publisher {
  /** A head whose commit came back clean. */
  offer(head: Pick<Head, 'edge' | 'root'>): void
  /** The first checkpoint that covers `size` records; rejects with a Problem when signing is stopped. */
  covering(size: number): Promise<Checkpoint>
  /** Signs the newest head in the database if no checkpoint covers it: start-up, and heads that another node left unsigned. */
  catchUp(): Promise<void>
  /**
   * The largest size that is known to have been committed, by this process or, where the signer answers, by whoever had it signed. To be asked
   * before a head is read: one that is smaller then belongs to an older database.
   */
  known(): Promise<number>
  /** Signs nothing from now on, for this reason: what stands outside the database proves that it is an older or another one. */
  halt(reason: Problem): void
  /** Why nothing is signed and therefore nothing may be recorded. */
  stopped(): Problem | undefined
  /** Several signatures in a row did not come about: the signer, or the database, is away. */
  isDelayed(): boolean
  /** Called with each new checkpoint of this process. */
  onPublished(listener: (checkpoint: Checkpoint) => void): void
  close(): Promise<void>
}

export interface PublisherDeps {
  ledger: LedgerName
  db: Database
  signer: Signer
  tree: Tree
  node: string
  log: Logger
  /** So long an answer waits for its signature; default 20,000. Then the caller is told to come again, and the records stay where they are. */
  patienceMs?: number
}

interface Target {
  size: number
  root: Uint8Array
}

const pollMs = 25
/** Pauses after a signature that did not come about; the last one goes on. */
const pausesMs = [200, 500, 1_000, 2_000, 5_000] as const
/** After so many it is no passing trouble. */
const failuresToTell = 3
/** So often it is looked whether another signer is at work with the same keys. */
const lookMs = 1_000
/** So long another node has to publish a head that it signed, before this one does it. */
const othersMs = 500

export function createPublisher(deps: PublisherDeps): Publisher {
  const { ledger, db, signer, tree, log, patienceMs = 20_000 } = deps
  const waiters = new Set<{ size: number; resolve: (c: Checkpoint) => void; reject: (e: unknown) => void }>()
  const listeners: ((checkpoint: Checkpoint) => void)[] = []
  let pending: Target | undefined
  let lastSigned: Target | undefined
  let problem: Problem | undefined
  let running: Promise<void> | undefined
  let closing = false
  let publishedSize = -1
  let offered = -1
  let failures = 0

  const pause = (): Promise<void> => sleep(pausesMs[Math.min(failures++, pausesMs.length - 1)] ?? 0)

  const publish = async (checkpoint: Checkpoint): Promise<void> => {
    tell(checkpoint, await store.publishCheckpoint(db, ledger, checkpoint.size, checkpoint.note))
  }

  /** `before`: the largest size that was published before this one; this one's own where it had been published already. */
  const tell = (checkpoint: Checkpoint, before: number): void => {
    failures = 0
    publishedSize = Math.max(publishedSize, before, checkpoint.size)
    for (const listener of listeners) listener(checkpoint)
    for (const waiter of waiters) {
      if (waiter.size > publishedSize) continue
      waiters.delete(waiter)
      // Nothing was published between `before` and this one, so it is the smallest that covers whatever is larger than `before`.
      if (waiter.size > before) waiter.resolve(checkpoint)
      else smallestCovering(waiter.size).then(waiter.resolve, waiter.reject)
    }
  }

  const smallestCovering = async (size: number): Promise<Checkpoint> => {
    const stored = await store.checkpointCovering(db, ledger, size)
    if (stored === undefined)
      throw new Error(`${ledger}: no checkpoint covers ${size} records, though one was published`)
    return stored
  }

  const stop = (reason: Problem): void => {
    problem = reason
    log.error('recording.stopped', { ledger, code: reason.code, detail: reason.message })
    for (const waiter of waiters) waiter.reject(reason)
    waiters.clear()
  }

  let lookedAt = -Infinity
  /** Whether another signer with these keys is at work; then nothing is signed here any more. At most once in `lookMs`, and at each start. */
  const isBehind = async (): Promise<boolean> => {
    lookedAt = performance.now()
    const unknown = await findUnknown(db, signer, ledger)
    if (unknown === undefined) return false
    const { known, size } = unknown
    const knows = known < 0 ? 'nothing' : `${known} records`
    stop(new Problem('signer_not_current', `${ledger} is signed to ${size} records, this signer knows of ${knows}: another one has a copy of its keys, or its folder is an older one`)) // oxfmt-ignore
    return true
  }

  /** One signature; answers false when another node is ahead. */
  const sign = async (target: Target): Promise<boolean> => {
    lastSigned ??= await signer.last(ledger)
    for (let tries = 0; tries < 8; tries++) {
      if (lastSigned !== undefined && lastSigned.size > target.size) return false
      const from = lastSigned?.size ?? 0
      const hashes = from === 0 || from === target.size ? [] : await tree.consistency(from, target.size)
      const answer = await signer.sign(ledger, { ...target, proof: { from, hashes } })
      if (answer.kind === 'signed') {
        lastSigned = target
        await publish({ size: target.size, note: answer.note })
        return true
      }
      if (answer.kind === 'refused' && answer.reason === 'rollback') {
        lastSigned = answer.last // another node is ahead, or the database is an older one: whoever reads the newest head finds out
        return false
      }
      if (answer.kind === 'refused') {
        stop(new Problem('rollback_detected', `the signer refuses head ${target.size} of ${ledger}: ${answer.reason}`))
        return true
      }
      lastSigned = { size: answer.size, root: answer.root } // another node signed in between: prove from there
    }
    return false
  }

  /** Another node signed more than this one committed: take its checkpoint, or sign the newest head after a barrier. */
  const follow = async (size: number): Promise<void> => {
    for (const until = performance.now() + othersMs; performance.now() < until; await sleep(pollMs)) {
      const found = await store.checkpointCovering(db, ledger, size)
      if (found !== undefined) return publish(found) // it is stored already: this only tells who waits
    }
    await signNewest()
  }

  const signNewest = async (): Promise<void> => {
    if (await isBehind()) return
    // Asked before the head is read: what is signed was committed earlier, so a head that is still smaller belongs to an older database. The
    // other way round another node's append between the two would look like that too.
    const last = await signer.last(ledger)
    await store.insertBarrier(db, ledger, deps.node)
    const { head } = await store.readHead(db, ledger)
    const size = head?.size ?? 0
    if (last !== undefined && last.size > size) {
      return stop(new Problem('rollback_detected', `${ledger} has ${size} records, the signer signed ${last.size}`))
    }
    if (last !== undefined && head !== undefined && last.size === size && Buffer.compare(last.root, head.root) !== 0) {
      return stop(
        new Problem('rollback_detected', `${ledger} has another root at ${size} records than the one that was signed`),
      )
    }
    const newest = await store.newestCheckpoint(db, ledger)
    if (head === undefined) return
    // Another node's, published since somebody here looked for it and began to wait.
    if (newest?.size === size) return tell(newest, newest.size)
    lastSigned = last
    const target = { size, root: head.root }
    if (!(await sign(target)) && !closing) await follow(target.size)
  }

  const run = async (): Promise<void> => {
    while (pending !== undefined && problem === undefined) {
      const target = pending
      pending = undefined
      try {
        if (performance.now() - lookedAt > lookMs && (await isBehind())) return
        if (!(await sign(target))) await follow(target.size)
      } catch (error) {
        log.warn('checkpoint.delayed', { ledger, size: target.size, error: String(error) })
        lastSigned = undefined
        pending ??= target
        if (closing) return
        await pause()
      }
    }
  }

  /** Rejects with `unavailable` when nothing is signed for too long: the same submission, repeated, finds its records and waits again. */
  const wait = (size: number): Promise<Checkpoint> => {
    const { promise, resolve, reject } = Promise.withResolvers<Checkpoint>()
    const waiter = { size, resolve, reject }
    const timer = setTimeout(() => {
      waiters.delete(waiter)
      reject(new Problem('unavailable', `${ledger} is recorded to ${size} records and not signed; repeating is safe`))
    }, patienceMs).unref()
    waiters.add(waiter)
    return promise.finally(() => clearTimeout(timer))
  }

  const idle = (): boolean => pending === undefined && running === undefined

  /** Starts `work` unless something runs; whatever was offered meanwhile is signed afterwards. */
  const kick = (work: () => Promise<void>): Promise<void> =>
    (running ??= work()
      .catch((error: unknown) => {
        log.warn('checkpoint.delayed', { ledger, error: String(error) })
        return pause()
      })
      .finally(() => {
        running = undefined
        if (problem !== undefined || closing) return
        if (pending !== undefined) void kick(run)
        // Who came meanwhile and waits for more than was signed: records of another node, which nothing here was offered.
        else if (waiters.size > 0) void kick(signNewest)
      }))

  return {
    async known() {
      // A signer that is away is no reason not to record; what it signs it compares itself.
      const signed = await signer.last(ledger).catch(() => undefined)
      return Math.max(offered, signed?.size ?? -1)
    },
    offer(head) {
      offered = Math.max(offered, head.edge.size)
      if (pending === undefined || head.edge.size > pending.size) pending = { size: head.edge.size, root: head.root }
      if (running === undefined) void kick(run)
    },
    async covering(size) {
      if (problem !== undefined) throw problem
      // A repeat names the checkpoint that its first receipt named: the smallest that covers it.
      const stored = size <= publishedSize || idle() ? await store.checkpointCovering(db, ledger, size) : undefined
      if (stored !== undefined) return stored
      const found = wait(size)
      if (idle()) void kick(signNewest) // recorded, but a crash came before the signature
      return found
    },
    async catchUp() {
      publishedSize = (await store.newestCheckpoint(db, ledger))?.size ?? -1
      await kick(signNewest)
    },
    halt(reason) {
      if (problem === undefined) stop(reason)
    },
    stopped: () => problem,
    isDelayed: () => failures >= failuresToTell,
    onPublished: (listener) => void listeners.push(listener),
    async close() {
      closing = true
      await running
      for (const waiter of waiters) waiter.reject(new Problem('unavailable', 'the service is stopping'))
    },
  }
}

const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms))
