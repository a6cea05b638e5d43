import type { StoredRecord } from '../ledger/read.ts'
import { policyFor } from './attempt-policy.ts'
import { type AttemptRow, blankOutcome, insertOutcome, type OutcomeRow, type ParkedRow } from './attempts.ts'
import type { Answer, Rendered } from './destination.ts'
import { type Gate, type Pass, sleep } from './gate.ts'
import type { DeliveryDeps, Lane } from './lane.ts'
import { LostRace } from './lost-race.ts'
import { type Mark, packMarks } from './marks.ts'
import { nextStep, type ParkReason, type Policy, type Step } from './next-step.ts'
import { freshAttempt, historyOf, membersMarked, type OpenAttempt, splitMembers, toAttempt } from './open-attempt.ts'
import { openTry } from './open-try.ts'
import { readMembers } from './range.ts'
import { gateReport, readAnswer, readFinding } from './readings.ts'
import { reportLook, reportPolicy, reportSettled } from './report.ts'
import { policyOf } from './settings.ts'
import type { Slots } from './slots.ts'

/** The right to send one request now. */
export interface Ticket {
  pass: Pass
  release(): void
}

export interface Conductor {
  /** Waits for a slot and for the gate; rejects when the signal aborts. */
  admit(): Promise<Ticket>
  /** Takes one attempt to its end; those that follow from it are spawned. Rejects with LostRace, on errors of the database, on bugs. */
  conduct(attempt: OpenAttempt, ticket?: Ticket): Promise<void>
}

interface ConductDeps extends DeliveryDeps {
  lane: Lane
  open: Set<OpenAttempt>
  gate: Gate
  slots: Slots
  /** Looks at once: searches cost more than sends. */
  lookSlots: Slots
  monotonicMs: () => number
  /** Sees to it that the attempts that follow end too, and hears of their errors. */
  spawn: (task: Promise<void>) => void
  /** Ends waiting. */
  signal: AbortSignal
  /** Ends requests. */
  wire: AbortSignal
}

type Marked = Pick<OutcomeRow, 'source' | 'marks'> & Partial<OutcomeRow>

export function createConductor(deps: ConductDeps): Conductor {
  const { db, lane, open, gate, slots, lookSlots, destination, reader, metrics, log, now, signal, wire } = deps
  const policy = policyOf(deps.settings)
  const micros = (): number => now().getTime() * 1000

  async function admit(): Promise<Ticket> {
    const release = await slots.take(signal)
    try {
      return { release, pass: await gate.enter(signal) }
    } catch (error) {
      release()
      throw error
    }
  }

  async function conduct(attempt: OpenAttempt, ticket?: Ticket): Promise<void> {
    try {
      const own = await policyFor({ policy, destination, reader }, lane.ledger, attempt)
      if (attempt.rendered !== undefined) await transmit(attempt, attempt.rendered, ticket)
      for (;;) {
        const step = nextStep(historyOf(attempt), own, now())
        if (step.kind === 'settle') break
        await take(attempt, step, own)
      }
      open.delete(attempt)
    } catch (error) {
      // Stopping is no error: what is open stays in the set, and in the database.
      if (!signal.aborted || error instanceof LostRace) throw error
    }
  }

  async function take(attempt: OpenAttempt, step: Exclude<Step, { kind: 'settle' }>, own: Policy): Promise<void> {
    if (step.kind === 'wait') return sleep(step.until.getTime() - now().getTime(), undefined, signal)
    // The opener is gone. From here on the outcome is ours to write: this row is what tells two heirs apart.
    if (attempt.hand === 'lost') return claim(attempt)
    if (step.kind === 'look') return look(attempt)
    if (step.kind === 'park') return park(attempt, step.reason)
    return again(attempt, own)
  }

  const recordsOf = (attempt: OpenAttempt): Promise<StoredRecord[]> =>
    readMembers(reader, lane.ledger, attempt.row, attempt.seqs)

  /** Stores a step; only then does this process believe it. A crash before leaves the step to be taken again, by a look if need be. */
  async function store(
    attempt: OpenAttempt,
    outcome: Marked,
    marks: Mark[],
    next: readonly AttemptRow[] = [],
    parked: readonly ParkedRow[] = [],
  ): Promise<void> {
    const { step, row } = attempt
    const stored: OutcomeRow = { ...blankOutcome, step, at: micros(), split: attempt.split, ...outcome }
    if (!(await insertOutcome(db, lane, row, stored, next, parked))) {
      throw new LostRace(`step ${step} of attempt ${row.first}/${row.try} was taken by another worker`)
    }
    const { at, retryAt, block, split } = stored
    const left = attempt.left || marks.includes('i')
    Object.assign(attempt, {
      step: step + 1,
      since: at,
      marks,
      hand: 'free',
      retryAt,
      block,
      split,
      rendered: undefined,
      left,
    })
  }

  /** Sends what is written. A crash after the first byte leaves an attempt without outcome: in doubt. */
  async function transmit(attempt: OpenAttempt, rendered: Rendered, given: Ticket | undefined): Promise<void> {
    const before = attempt.marks
    let ticket = given
    let answer: Answer | undefined
    try {
      ticket ??= await admit()
      answer = await destination.send(rendered, wire)
      const outcomes = destination.classify(rendered, answer)
      ticket.pass(gateReport(answer, outcomes))
      const { marks, outcome, parked, trail, slow } = readAnswer(rendered.records, answer, outcomes, micros())
      if (slow) slots.slowDown()
      attempt.trail = trail
      await store(attempt, outcome, marks, [], parked)
      reportSettled(metrics, lane, before, marks)
      if (outcome.reason !== undefined) {
        log.warn('attempt.failed', {
          ...lane,
          first: attempt.row.first,
          try: attempt.row.try,
          marks: outcome.marks.slice(0, 1),
          reason: outcome.reason,
        })
      }
    } catch (error) {
      if (answer === undefined) ticket?.pass({ kind: 'unused' })
      // `send` rejects on abort only before the first byte, and waiting for a ticket sends nothing either: that is worth knowing. With an
      // answer it was sent, and only its outcome could not be stored: without a row it is in doubt, as after a crash.
      if (answer === undefined && signal.aborted && !(error instanceof LostRace)) {
        await store(
          attempt,
          { source: 'answer', marks: 'u', reason: 'the sender stopped before the first byte' },
          attempt.seqs.map((): Mark => 'u'),
        )
      }
      throw error
    } finally {
      ticket?.release()
    }
  }

  /** Asks the destination for every member that is in doubt or unproved, and stores what was found. */
  async function look(attempt: OpenAttempt): Promise<void> {
    const members = membersMarked(attempt, ['i', 'e', 'a'])
    const release = await lookSlots.take(signal)
    try {
      let read: Promise<StoredRecord[]> | undefined
      const records = (): Promise<StoredRecord[]> =>
        (read ??= recordsOf(attempt).then((all) => members.flatMap(({ at }) => all[at] ?? [])))
      const findings = await destination.look(toAttempt(attempt, lane.ledger, members.length, records), wire)
      if (findings.length !== members.length) throw new Error('a look has one finding per record')
      const before = attempt.marks
      const marks = [...before]
      const parked: ParkedRow[] = []
      for (const [i, finding] of findings.entries()) {
        const { at = 0 } = members[i] ?? {}
        // Only what is compared by digest is needed, and an acknowledgement compares nothing.
        const record = finding.kind === 'present' && finding.digest !== undefined ? (await records())[i] : undefined
        const { mark, reason } = readFinding(finding, record, before[at] ?? 'i')
        marks[at] = mark
        if (mark === 'r' && record !== undefined)
          parked.push({ seq: record.seq, id: record.id, kind: 'refused', reason })
        if (finding.kind === 'present' && finding.copies > 1)
          metrics.duplicates(lane.destination, lane.ledger, finding.copies - 1)
      }
      attempt.looks++
      attempt.lookedAt = now()
      attempt.lookingSince ??= attempt.lookedAt
      if (marks.every((mark, at) => mark === before[at])) return
      const proof = findings.find((finding) => finding.kind === 'present')
      const reason = parked[0]?.reason
      await store(
        attempt,
        { source: 'look', marks: packMarks(marks), block: attempt.block, reason, receipt: proof?.receipt },
        marks,
        [],
        parked,
      )
      reportSettled(metrics, lane, before, marks)
      const looked = members.map(({ at }, i) => ({ at, finding: findings[i] }))
      reportLook(metrics, lane, { before, marks, openedAt: attempt.row.openedAt, at: micros() }, looked)
    } finally {
      release()
    }
  }

  async function claim(attempt: OpenAttempt): Promise<void> {
    const reason = 'no outcome was stored before the sender stopped'
    await store(
      attempt,
      { source: 'loss', marks: 'i', reason },
      attempt.seqs.map((): Mark => 'i'),
    )
  }

  async function park(attempt: OpenAttempt, reason: ParkReason): Promise<void> {
    const members = membersMarked(attempt, ['i', 'e', 'a'])
    const all = await recordsOf(attempt)
    const before = attempt.marks
    const marks = [...before]
    const parked = members.flatMap(({ at }): ParkedRow[] => {
      const record = all[at]
      if (record === undefined) return []
      marks[at] = 'p'
      return [
        {
          seq: record.seq,
          id: record.id,
          kind: reason,
          reason: policy.canLook ? 'no look gave an answer' : 'the destination cannot be asked',
        },
      ]
    })
    await store(attempt, { source: 'policy', marks: packMarks(marks), reason }, marks, [], parked)
    metrics.settled(lane.destination, lane.ledger, reason, parked.length)
    reportPolicy(metrics, lane, before, members, 'parked')
    log.warn('attempt.parked', {
      ...lane,
      first: attempt.row.first,
      try: attempt.row.try,
      reason,
      records: parked.length,
    })
  }

  /** Opens the next tries for what is to be sent again, in one statement with the step that hands it on, and conducts them. */
  async function again(attempt: OpenAttempt, own: Policy): Promise<void> {
    const ticket = await admit()
    let children: OpenAttempt[]
    try {
      const step = nextStep(historyOf(attempt), own, now())
      const isDoubtful = own.repeatable || (step.kind === 'send' && step.doubtful)
      const members = membersMarked(attempt, isDoubtful ? ['u', 'i'] : ['u'])
      const bySeq = new Map((await recordsOf(attempt)).map((record) => [record.seq, record]))
      const place = {
        month: attempt.row.month,
        try: attempt.row.try + 1,
        mark: attempt.row.mark + (attempt.left ? 1 : 0),
        redelivery: attempt.row.redelivery,
      }
      const tries = splitMembers(members, attempt.split).map((seqs) =>
        openTry(
          deps,
          place,
          seqs.flatMap((seq) => bySeq.get(seq) ?? []),
        ),
      )
      const before = attempt.marks
      const marks = [...before]
      for (const { at } of members) marks[at] = 'n'
      const { block, retryAt } = attempt
      await store(
        attempt,
        { source: 'policy', marks: packMarks(marks), split: undefined, block, retryAt },
        marks,
        tries.map(({ row }) => row),
      )
      reportPolicy(metrics, lane, before, members, 'resent')
      children = tries.map(({ row, rendered }) => freshAttempt(row, rendered))
    } catch (error) {
      ticket.pass({ kind: 'unused' })
      ticket.release()
      throw error
    }
    for (const child of children) open.add(child)
    if (!attempt.marks.some((mark) => mark === 'u' || mark === 'i' || mark === 'e' || mark === 'a'))
      open.delete(attempt)
    // Not waited for: through an outage each try would keep all that went before it. The ticket goes with the first; the others wait for
    // one, and when that takes too long they are not begun and tried again.
    for (const [i, child] of children.entries()) deps.spawn(i === 0 ? conduct(child, ticket) : conduct(child))
  }

  return { admit, conduct }
}
