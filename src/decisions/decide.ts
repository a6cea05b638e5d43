import { hash } from 'node:crypto'
import { findChangedLines, reachedOf } from '../answers/changed-lines.ts'
import type { DefinitionFigures } from '../answers/figures.ts'
import { measure } from '../answers/measured.ts'
import { printAsOf } from '../answers/position.ts'
import { nearestMeasured } from '../answers/previous.ts'
import { makeReport } from '../answers/report.ts'
import { type Question, type Subject, type SubjectDeps, findCommit, openSubject } from '../answers/subject.ts'
import { type GateDecision, type Reached, asksForChanged, decideGate } from '../contract/decide-gate.ts'
import { isTracked } from '../contract/effective.ts'
import type { GateFields, MissingSuite } from '../record/changes.ts'
import { type LedgerName, testTypes } from '../record/record.ts'
import type { Resolved } from './subjects.ts'

/** What a gate decides by: the report as of now and nothing beside it. Looking is cheap; the figures are made when they are needed. */

/** What a decision rests on. */
export interface Found {
  question: Question
  subject: Subject
  asOf: string
  sizes: ReadonlyMap<LedgerName, number>
  contract: Pick<GateFields, 'contract' | 'contract_version' | 'contract_default' | 'enforced'>
  missing: readonly MissingSuite[]
  counted: number
  /** Over the seals that count and what is missing. */
  seals: string
  base: string | undefined
}

export async function lookAtSubject(
  deps: SubjectDeps,
  question: Question,
  { commit, build }: Resolved,
  asked: string | undefined,
): Promise<Found> {
  const subject = await openSubject(deps, question, build === undefined ? { commit } : { build })
  const { own, org, effective } = question.contract
  const { runs } = subject
  const seals = runs.counted.map(({ ledger, facts: { seq } }) => `${ledger}@${seq}`).toSorted()
  const without = runs.missing.map(({ testType, suite, reasons }) => [testType, suite, ...reasons])
  const wantsBase = effective !== undefined && asksForChanged(effective)
  const tracks = effective?.refs !== undefined
  return {
    question,
    subject,
    asOf: printAsOf(question.resolved.asOf),
    sizes: new Map(question.resolved.ledgers.map(({ ledger, size }) => [ledger, size])),
    contract: {
      contract: (own ?? org)?.contract ?? null,
      contract_version: (own ?? org)?.contract_version,
      contract_default: own === undefined || effective?.inherit === false ? undefined : org?.contract,
      enforced: effective !== undefined && effective.mode !== 'observe',
    },
    missing: runs.missing.map(({ testType, suite, owner, reasons }) => ({ test_type: testType, suite, owner, reason: reasons.join(',') })),
    counted: runs.counted.length,
    seals: hash('sha256', JSON.stringify([seals, without]), 'hex'),
    base:
      asked === undefined
        ? wantsBase ? nearestMeasured(question, subject.commit, ({ ref }) => !tracks || isTracked(effective, ref)) : undefined
        : findCommit(question, asked),
  }
} // oxfmt-ignore

export interface Settled extends GateDecision {
  /** The bytes that the record names. */
  report: Buffer
}

export async function settle(deps: SubjectDeps, { question, subject, counted, base }: Found): Promise<Settled> {
  const measured = await measure(deps.evidences, subject)
  const { effective } = question.contract
  const decision = decideGate({
    contract: effective,
    counted,
    missing: subject.runs.missing.map(({ testType, suite, reasons }) => ({ test_type: testType, suite, reasons })),
    lines: measured.figures.flatMap(linesOf),
    changed: await changedOf(deps, question, subject, measured.production, base),
  })
  return { ...decision, report: Buffer.from(JSON.stringify(await makeReport(deps, question, subject))) }
}

function linesOf({ definition, suites, ...of }: DefinitionFigures): Reached[] {
  const ofTypes = testTypes.flatMap((test_type): Reached[] => {
    const sums = of[test_type]
    return sums === null ? [] : [{ test_type, definition, executed: sums.executed, found: sums.found }]
  })
  return [
    ...ofTypes,
    ...suites.map(({ test_type, suite, executed, found }) => ({ test_type, suite, definition, executed, found })),
  ]
}

/** Undefined where they are not known: no base, no inventory of one of the two, or a file that changed in a way that no line map tells. */
async function changedOf(
  deps: SubjectDeps,
  { views }: Question,
  { inventory }: Subject,
  production: Parameters<typeof reachedOf>[0],
  base: string | undefined,
): Promise<Reached[] | undefined> {
  if (base === undefined) return undefined
  const found = await findChangedLines(deps.db, views, production, inventory, await deps.inventories.of(views, base))
  return found === undefined || found.unknown.length > 0 ? undefined : reachedOf(production, found.lines)
}
