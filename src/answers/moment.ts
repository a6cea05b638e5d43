import { type LedgerName, type Micros, ledgerKindOf } from '../record/record.ts'
import { type AsOfDeps, type ResolvedAsOf, resolveAsOf, toMicros } from './as-of.ts'
import { type AsOf, parseAsOf, printAsOf, sizeAsOf, toAsOf } from './position.ts'
import { momentOf } from './window.ts'
import type { Reader } from '../ledger/read.ts'
import { Problem } from '../record/problem.ts'

/**
 * What is asked about time that passes (how long has nothing come?) is asked as of a time. When nothing comes, the ledgers of runs tell of none;
 * `operations` does, with a heartbeat every few minutes. So an as_of of these questions names it too, where it is to count.
 */

export interface ResolvedMoment extends ResolvedAsOf {
  /** When the last record below the sizes was recorded. */
  moment: Micros
}

export interface MomentDeps extends AsOfDeps {
  reader: Pick<Reader, 'published' | 'seqAt' | 'readBatch'>
}

/** `ledgers` have a history; `operations` are the generations of that ledger, which has none. */
export async function resolveMoment(
  deps: MomentDeps,
  ledgers: readonly LedgerName[],
  operations: readonly LedgerName[],
  text: string | undefined,
): Promise<ResolvedMoment> {
  const named = text === undefined ? undefined : parseAsOf(text)
  const { operations: asked, ...others } = named ?? {}
  const resolved = await resolveAsOf(deps, ledgers, named === undefined ? text : printAsOf(others))
  const sizes = named !== undefined && asked === undefined ? [] : await sizesOf(deps, operations, text, asked)
  const moment = await momentOf(deps, [...resolved.ledgers, ...sizes])
  return { ...resolved, asOf: toAsOf([...resolved.ledgers, ...sizes]), moment }
}

async function sizesOf(
  { reader }: MomentDeps,
  operations: readonly LedgerName[],
  text: string | undefined,
  asked: AsOf['operations'],
): Promise<{ ledger: LedgerName; size: number }[]> {
  const time = text === undefined ? undefined : toMicros(text)
  return Promise.all(
    operations.map(async (ledger) => {
      const published = (await reader.published(ledger))?.size ?? 0
      if (time !== undefined) return { ledger, size: await reader.seqAt(ledger, time) }
      const size = asked === undefined ? published : (sizeAsOf({ operations: asked }, ledger, published) ?? 0)
      if (size > published)
        throw new Problem('request_invalid', `as_of names ${size} records of ${ledgerKindOf(ledger)}, and ${published} are published`) // oxfmt-ignore
      return { ledger, size }
    }),
  )
}
