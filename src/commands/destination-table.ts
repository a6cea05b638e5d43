import type { DestinationStatus } from '../api/operations.ts'
import { oneLine, printTable } from './terminal.ts'

/** How far each destination is with each ledger, and below the table why one takes nothing and how far orders are. */

export function printDestinations(list: readonly DestinationStatus[]): string {
  if (list.length === 0) return 'no destinations are configured\n'
  const head = [
    'destination',
    'kind',
    'state',
    'proof',
    'ledger',
    'published',
    'sent to',
    'proved to',
    'in doubt',
    'parked',
  ]
  const rows = list.flatMap(({ name, kind, proof, ledgers }) =>
    ledgers.map((at) => [
      name,
      kind,
      at.state, // of this ledger: one may be blocked beside others that are not
      proof,
      at.ledger,
      ...[at.published, at.sent_to, at.proved_to, at.in_doubt, at.parked].map(String),
    ]),
  )
  return [
    printTable([head, ...rows]),
    ...list.flatMap(printBlocks),
    ...list.flatMap(({ name, ledgers }) => ledgers.flatMap((at) => printOrders(name, at))),
  ].join('')
}

/** Why nothing goes there, or goes with less proof, where that is so. Ledgers that it is the same for share a line. */
function printBlocks({ name, ledgers }: DestinationStatus): string[] {
  const alike = Map.groupBy(
    ledgers.flatMap((at) => whyOf(at).map((why) => ({ ledger: at.ledger, ...why }))),
    ({ does, why }) => `${does} ${why}`,
  )
  return [...alike.values()].flatMap((same) =>
    same.slice(0, 1).map(({ does, why }) => {
      const of = same.map(({ ledger }) => ledger).join(', ')
      return `${oneLine(`${name} ${does} ${of}${why}`)}\n`
    }),
  )
}

function whyOf({
  state,
  reason,
  detail,
  failure,
}: DestinationStatus['ledgers'][number]): { does: string; why: string }[] {
  const why = `${reason ?? ''}: ${detail}`
  if (state === 'blocked') return [{ does: 'takes nothing of', why: `: ${why}` }]
  if (state === 'paused') return [{ does: 'is sent nothing of', why: `: paused ${why}` }]
  if (reason === 'weaker_proof') return [{ does: 'proves', why: ` in another way than is configured: ${detail}` }]
  if (failure === undefined || failure === null) return []
  return [{ does: 'did not take', why: ` at ${failure.at}: ${failure.reason}` }]
}

function printOrders(name: string, { ledger, redeliveries }: DestinationStatus['ledgers'][number]): string[] {
  return redeliveries.map(({ n, why, first, last, next, state, by, reason }) => {
    const how = state === 'running' ? `is at ${next}` : state
    return `${oneLine(`order ${n} to ${name}: ${ledger} ${first}-${last} (${why}) ${how}; by ${by}: ${reason}`)}\n`
  })
}
