import { type ConsumerTold, consumerList, forgotten } from '../api/consumers.ts'
import { oneLine, printTable, type ExitCode, type Terminal } from './terminal.ts'
import { ask } from './watch.ts'

/** `proofline consumers`: who pulls the feed, and how far each is. */
export async function consumers(terminal: Terminal, signal: AbortSignal): Promise<ExitCode> {
  const answer = await ask(consumerList, { method: 'GET', path: '/v1/consumers', signal })
  terminal.print(answer, () => printConsumers(answer.consumers) || 'nobody pulls the feed under a name\n')
  return 0
}

/** `proofline consumers forget NAME`. */
export async function forget(
  name: string,
  { reason }: { reason: string },
  terminal: Terminal,
  signal: AbortSignal,
): Promise<ExitCode> {
  const path = `/v1/consumers/${encodeURIComponent(name)}/forget`
  const answer = await ask(forgotten, { method: 'POST', path, body: { reason }, signal })
  terminal.print(answer, () => `${oneLine(answer.forgotten)} is forgotten; when it pulls again it is there again\n`)
  return 0
}

export function printConsumers(list: readonly ConsumerTold[]): string {
  if (list.length === 0) return ''
  const head = ['consumer', 'ledger', 'next', 'lag', 'waiting since', 'seen at', 'moved at', 'by']
  const rows = list.map((one) => [
    oneLine(one.consumer),
    one.ledger,
    String(one.next),
    String(one.lag),
    one.waiting_since ?? '',
    one.seen_at,
    one.moved_at,
    one.by,
  ])
  const rewinds = list.flatMap(({ consumer, ledger, rewound }) =>
    rewound === null
      ? []
      : [`${oneLine(consumer)} went back in ${ledger} from ${rewound.from} to ${rewound.to} at ${rewound.at}\n`],
  )
  return [printTable([head, ...rows]), ...rewinds].join('')
}
