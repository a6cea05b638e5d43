import { setTimeout as sleep } from 'node:timers/promises'
import type { Queryable } from '../database/database.ts'
import { type Position, readPosition } from '../history/projection-store.ts'
import type { Reader } from '../ledger/read.ts'
import { Problem } from '../record/problem.ts'
import { type LedgerName, ledgerKindOf, ledgerLabel, parseTime } from '../record/record.ts'
import { type AsOf, parseAsOf, printAsOf, sizeAsOf, toAsOf } from './position.ts'

/** The sizes that a question is answered as of, and where the history of each ledger stands that is to answer it. */
export interface ResolvedAsOf {
  asOf: AsOf
  ledgers: { ledger: LedgerName; size: number; generation: number }[]
}

export interface AsOfDeps {
  db: Queryable
  reader: Pick<Reader, 'published' | 'seqAt'>
}

/** How long a question waits for the history to get to its sizes: that is behind recording by a moment. */
const waitMs = 2_000
const lookMs = 20

/**
 * Without `text` it is what is published and in the history now; a time is taken for what was recorded before it; sizes stand as they are. Sizes
 * that nobody published, or that the history does not reach in time, are refused: an answer as of them would be another one later.
 */
export async function resolveAsOf(
  { db, reader }: AsOfDeps,
  ledgers: readonly LedgerName[],
  text: string | undefined,
): Promise<ResolvedAsOf> {
  const asked = text === undefined ? undefined : await askedSizes(reader, ledgers, text)
  const resolved = await Promise.all(
    ledgers.map(async (ledger) => {
      const published = (await reader.published(ledger))?.size ?? 0
      const wanted = asked?.get(ledger) ?? published
      if (wanted > published)
        throw new Problem('request_invalid', `as_of names ${wanted} records of ${ledgerLabel(ledger)}, and ${published} are published`)
      const { next, generation } = await waitFor(db, ledger, wanted)
      if (next < wanted && asked !== undefined)
        throw new Problem('history_behind', `the history of ${ledger} has reached ${next} of ${wanted} records`)
      return { ledger, size: Math.min(wanted, next), generation }
    }),
  ) // oxfmt-ignore
  return { asOf: toAsOf(resolved), ledgers: resolved }
}

async function waitFor(db: Queryable, ledger: LedgerName, size: number): Promise<Position> {
  for (let left = waitMs; ; left -= lookMs) {
    const position = await readPosition(db, ledger)
    if (position.next >= size || left <= 0) return position
    await sleep(lookMs)
  }
}

async function askedSizes(
  reader: AsOfDeps['reader'],
  ledgers: readonly LedgerName[],
  text: string,
): Promise<Map<LedgerName, number>> {
  const time = toMicros(text)
  if (time !== undefined) {
    const sizes = await Promise.all(ledgers.map(async (ledger) => [ledger, await reader.seqAt(ledger, time)] as const))
    return new Map(sizes)
  }
  const asOf = parseAsOf(text)
  if (asOf === undefined)
    throw new Problem('request_invalid', 'as_of is a time, or sizes as an answer prints them: unit:184471,integration:99210')
  const sizes = await Promise.all(
    ledgers.map(async (ledger) => {
      const size = sizeAsOf(asOf, ledger, (await reader.published(ledger))?.size ?? 0)
      if (size === undefined)
        throw new Problem('request_invalid', `as_of ${printAsOf(asOf)} does not name ${ledgerKindOf(ledger)}`)
      return [ledger, size] as const
    }),
  )
  return new Map(sizes)
} // oxfmt-ignore

/** An RFC 3339 time with an offset, or a day in UTC. */
export function toMicros(text: string): number | undefined {
  const exact = parseTime(text)
  if (exact !== undefined) return exact
  if (!/^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d))?$/.test(text)) return undefined
  const ms = Date.parse(text)
  return Number.isFinite(ms) ? ms * 1000 : undefined
}

/** Whether no history was rebuilt since: then what was read of it belongs together. */
export async function isStill(db: Queryable, { ledgers }: ResolvedAsOf): Promise<boolean> {
  const positions = await Promise.all(ledgers.map(({ ledger }) => readPosition(db, ledger)))
  return positions.every(({ generation }, i) => generation === ledgers[i]?.generation)
}

/** How often a question is read again when the history was rebuilt under it. */
const maxTries = 5

/** Answers by what was resolved; once more where a history was rebuilt meanwhile, since then what was read does not belong together. */
export async function answerStill<R extends ResolvedAsOf, T>(
  db: Queryable,
  resolve: () => Promise<R>,
  answer: (resolved: R) => Promise<T>,
): Promise<T> {
  for (let tries = 1; ; tries++) {
    const resolved = await resolve()
    const answered = await answer(resolved)
    if (await isStill(db, resolved)) return answered
    if (tries === maxTries) throw new Problem('history_behind', 'the history is being rebuilt')
  }
}
