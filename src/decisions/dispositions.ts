import { hash } from 'node:crypto'
import { type Principal, may } from '../access/principal.ts'
import type { RecordingRefusals } from '../admission/refusals.ts'
import type { RunsStore } from '../admission/runs-store.ts'
import { byOf } from '../admission/identity.ts'
import type { Book } from '../ledger/book.ts'
import type { LedgerReader } from '../ledger/read.ts'
import { packSegment } from '../ledger/segments.ts'
import { findSubmissions } from '../ledger/store.ts'
import { changeKeys, printTarget } from '../record/change-keys.ts'
import {
  type DispositionFields,
  type DispositionTarget,
  type DispositionVerdict,
  dispositionPayload,
} from '../record/changes.ts'
import { Problem } from '../record/problem.ts'
import { type LedgerName, orgOf } from '../record/record.ts'
import { type Standing, type StandingDeps, readStanding } from './standing.ts'

/** Puts on record what a person says about something that is on record. It changes no number. */

export interface DispositionOffer {
  /** `*` for what belongs to none. */
  repository: string
  target: DispositionTarget
  note: string
  verdict?: DispositionVerdict | undefined
  /** The last day on which it holds. */
  until?: string | undefined
  blob?: string | undefined
}

export interface DispositionsDeps extends StandingDeps {
  org: string
  /** `<org>/changes` */
  book: Book
  /** All generations of unit and integration, newest first. */
  ofRuns: readonly LedgerName[]
  runs: Pick<RunsStore, 'getRun' | 'inventoryOf'>
  findRecord: LedgerReader['findRecord']
  recordingRefusals: RecordingRefusals
}

export type Dispose = (
  who: Principal,
  offer: DispositionOffer,
) => Promise<{ created: boolean; recorded: Standing<DispositionFields> }>

export function createDispositions(deps: DispositionsDeps): Dispose {
  return (who, offer) => {
    const { repository } = offer
    return deps.recordingRefusals({ ledger: deps.book.ledger, repository, by: byOf(who) }, () => dispose(deps, who, offer))
  }
} // oxfmt-ignore

async function dispose(deps: DispositionsDeps, who: Principal, offer: DispositionOffer): ReturnType<Dispose> {
  const { org, book } = deps
  const { repository, target, note, verdict, until } = offer
  const subject = repository === '*' ? { org } : { org, repository }
  if (!may(who, 'audit', subject) && !may(who, 'operate', subject))
    throw new Problem('forbidden', `this credential may not dispose of anything of ${repository}`)
  const blob = await checkTarget(deps, offer)
  const fields: DispositionFields = { repository, target, subject: printTarget(target), note, verdict, until, blob, by: byOf(who) }
  const key = changeKeys.disposition(fields)
  const [recorded] = await book.appender.submit([
    { key, digest: hash('sha256', key, 'buffer'), firstWins: true, conflict: 'internal', segments: [packSegment('disposition', [dispositionPayload(book.ledger, fields)])] },
  ])
  if (recorded === undefined) throw new Error('the appender answered nothing')
  return { created: !recorded.repeated, recorded: await readStanding(deps, book.ledger, recorded) }
} // oxfmt-ignore

/** What is named has to be there, and of this repository; of a file the blob that the note holds for. */
async function checkTarget(deps: DispositionsDeps, { repository, target, blob }: DispositionOffer): Promise<string | undefined> {
  const { ofRuns, runs, findRecord } = deps
  const unknown = (): Problem => new Problem('not_found', `there is no ${printTarget(target)} of ${repository}`)
  switch (target.kind) {
    case 'lines':
    case 'file':
      return blob ?? (target.commit === undefined ? undefined : blobAt(deps, repository, target.commit, target.path))
    case 'run': {
      const ledger = await findRun(deps, target.run)
      if (ledger === undefined || (await runs.getRun(ledger, target.run)).repository !== repository) throw unknown()
      return undefined
    }
    case 'gate': {
      const record = await findRecord(target.id)
      const isOurs = record?.kind === 'gate' && orgOf(record.ledger) === deps.org
      const fields = isOurs ? (JSON.parse(Buffer.from(record.bytes).toString()) as { repository?: string }) : undefined
      if (fields?.repository !== repository) throw unknown()
      return undefined
    }
    case 'deployment': {
      const key = changeKeys.deployment({ repository, deployment: target.id })
      const found = await Promise.all(deps.chain.map((ledger) => findSubmissions(deps.db, ledger, [key], [])))
      if (found.flat().length === 0) throw unknown()
      return undefined
    }
    case 'day':
    case 'alert':
    case 'dead_letter':
      return undefined
  }

  async function findRun({ db }: DispositionsDeps, run: string): Promise<LedgerName | undefined> {
    for (const ledger of ofRuns) if ((await findSubmissions(db, ledger, [`run:${run}`], [])).length > 0) return ledger
    return undefined
  }
} // oxfmt-ignore

/** By the inventory of the commit. Throws Problem('not_found') for a file that it does not have; undefined where there is no inventory. */
async function blobAt(
  { ofRuns, runs }: DispositionsDeps,
  repository: string,
  commit: string,
  path: string,
): Promise<string | undefined> {
  for (const ledger of ofRuns) {
    const payloads = await runs.inventoryOf(ledger, repository, commit)
    if (payloads === undefined) continue
    for (const payload of payloads) {
      const { files } = JSON.parse(Buffer.from(payload).toString()) as { files: [string, string][] } // written by inventoryPayloads
      const found = files.find(([name]) => name === path)
      if (found !== undefined) return found[1]
    }
    throw new Problem('not_found', `the commit ${commit} of ${repository} has no ${path}`)
  }
  return undefined
}
