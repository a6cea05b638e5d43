import type { Database } from '../database/database.ts'
import type { Lane } from './lane.ts'
import { readLane } from './lane-state.ts'
import { openLetters, type ParkedLetter } from './letter-store.ts'
import type { Mark } from './marks.ts'
import { foundAttempt, membersMarked, type OpenAttempt } from './open-attempt.ts'

/** What nobody knows of a lane: parked without an answer, in doubt, or accepted and not proved; nothing of it can still be on its way. */
export interface Unresolved {
  letters: ParkedLetter[]
  attempts: OpenAttempt[]
}

const doubtful: readonly Mark[] = ['i', 'a']

export async function findUnresolved(db: Pick<Database, 'query'>, lane: Lane, now: Date): Promise<Unresolved> {
  const letters = (await openLetters(db, lane)).filter(({ kind }) => kind !== 'refused')
  const found = await readLane(db, lane)
  const attempts = (found?.open ?? [])
    .map(foundAttempt)
    .filter((open) => open.row.deadline < now.getTime() * 1000 && membersMarked(open, doubtful).length > 0)
  return { letters, attempts }
}

/** Ascending, each once. */
export function seqsOf({ letters, attempts }: Unresolved): number[] {
  const seqs = new Set(letters.map(({ seq }) => seq))
  for (const attempt of attempts) for (const { seq } of membersMarked(attempt, doubtful)) seqs.add(seq)
  return [...seqs].toSorted((a, b) => a - b)
}
