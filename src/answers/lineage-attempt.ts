import { type TracedAttempt, attemptsHolding, parseAttempt, printAttempt } from '../delivery/attempts-of.ts'
import { fieldsOf } from '../history/read-records.ts'
import { monthOf } from '../ledger/batch.ts'
import type { StoredRecord } from '../ledger/read.ts'
import { readAll } from '../ledger/read-kinds.ts'
import { Problem } from '../record/problem.ts'
import { type LedgerName, isLedgerName, printTime } from '../record/record.ts'
import { type ChainDeps, traceChain } from './lineage-chain.ts'
import { type LineageDeliveries, printTraced } from './lineage-deliveries.ts'
import { type LineageNode, textOf } from './lineage-node.ts'
import type { LineageDeps } from './lineage-runs.ts'
import { type LineageAsk, type Sized, findStart, sizeOf } from './lineage-start.ts'

/** The lineage of what one attempt to send carried. */

type Ask = Pick<LineageAsk, 'id' | 'isVisible' | 'repository'>

/** A batch carries records of one run, or of a few that were recorded at the same time. */
const maxChains = 5

export async function traceAttempt(
  deps: ChainDeps & { now: () => Date },
  sizes: readonly Sized[],
  ask: Ask,
): Promise<{ chain: LineageNode[]; repository: string | undefined; deliveries: LineageDeliveries }> {
  const missing = new Problem('not_found', `there is no attempt ${ask.id} as of this`)
  const found = await findAttempt(deps, sizes, ask.id)
  if (found === undefined) throw missing
  const { attempt, ledger } = found
  const carried = new Map<string, StoredRecord>()
  const repositories = new Set<string | undefined>()
  let shown = 0
  const states: Record<string, number> = {}
  for await (const record of readAll(deps.reader, ledger, attempt.first, attempt.last + 1)) {
    if (!attempt.has(record.seq)) continue
    const fields = fieldsOf(record)
    const repository = textOf(fields, 'repository')
    if (!ask.isVisible(repository)) continue
    shown += 1
    const state = attempt.stateOf(record.seq)
    states[state] = (states[state] ?? 0) + 1
    repositories.add(repository)
    const key = textOf(fields, 'run') ?? `${repository ?? ''}@${textOf(fields, 'commit') ?? record.id}`
    if (!carried.has(key)) carried.set(key, record)
  }
  if (shown === 0) throw missing
  const chain: LineageNode[] = []
  for (const { id } of [...carried.values()].slice(0, maxChains)) {
    const start = await findStart(deps, sizes, { ...ask, kind: 'record', id })
    // What is shown of a run is the run: which of its records were carried says the attempt.
    const isOfRun = start.run !== undefined
    chain.push(...(await traceChain(deps, sizes, isOfRun ? { ...start, record: undefined } : start, isOfRun ? { part: undefined } : undefined)).chain) // oxfmt-ignore
  }
  const more = Math.max(0, carried.size - maxChains)
  return {
    chain,
    repository: repositories.size === 1 ? [...repositories][0] : undefined,
    deliveries: {
      observed_at: printTime(deps.now().getTime() * 1000),
      deliveries: [
        {
          destination: attempt.destination, ledger, attempt: printAttempt(attempt), states, attempts: [printTraced(attempt)],
          ...(more === 0 ? {} : { left_out: { chains: more } }),
        },
      ],
    },
  } // oxfmt-ignore
}

/** Of a record below the sizes: what an attempt carried beyond them is not there yet. */
async function findAttempt(
  { db, reader }: LineageDeps,
  sizes: readonly Sized[],
  id: string,
): Promise<{ attempt: TracedAttempt; ledger: LedgerName } | undefined> {
  const named = parseAttempt(id)
  if (named === undefined || !isLedgerName(named.ledger)) return undefined
  const { ledger } = named
  const size = sizeOf(sizes, ledger)
  if (named.seq >= size) return undefined
  const [record] = (await reader.readBatch(ledger, named.seq, { maxRecords: 1 })).records
  if (record === undefined) return undefined
  const lane = { ledger, destination: named.destination }
  const attempts = await attemptsHolding(db, lane, [{ seq: named.seq, month: monthOf(record.recordedAt) }])
  const attempt = attempts.find((one) => one.try === named.try && one.last < size)
  return attempt === undefined ? undefined : { attempt, ledger }
}
