import { randomUUID } from 'node:crypto'
import type { Book } from '../ledger/book.ts'
import { packSegment } from '../ledger/segments.ts'
import { printPayload } from '../record/run.ts'

/** What an operator tells the service to do, on record in `operations` before it is done. */
export interface Command {
  who: { id: string; method: string }
  command:
    | 'destination.setup'
    | 'destination.check'
    | 'destination.pause'
    | 'destination.resume'
    | 'destination.reconcile'
    | 'destination.redeliver'
    | 'destination.settle'
    | 'destination.moved'
    | 'dead_letters.retry'
    | 'dead_letters.discard'
    | 'destination.drill'
    | 'alert.acknowledge'
    | 'consumer.forget'
    | 'archive.run'
    | 'retention.run'
    | 'key.rotate'
    | 'key.retire'
    | 'key.adopt'
    | 'recover'
    | 'recover.accept_loss'
  target: string
  reason?: string | undefined
  /** What exactly, where target and reason do not say it. */
  detail?: Readonly<Record<string, unknown>> | undefined
}

/** Rejects when the command cannot be recorded: then it is not carried out. */
export type RecordCommand = (command: Command) => Promise<void>

export function createCommandRecorder(operations: Book): RecordCommand {
  return async ({ who, command, target, reason, detail }) => {
    const id = randomUUID()
    const payload = printPayload('command', operations.ledger, {
      command,
      [nameOfTarget(command)]: target,
      ...detail,
      reason,
      by: { method: who.method, subject: who.id },
    })
    await operations.appender.submit([
      {
        key: `command:${id}`,
        digest: Buffer.alloc(32),
        conflict: 'internal',
        segments: [packSegment('command', [payload])],
      },
    ])
  }
}

function nameOfTarget(command: Command['command']): string {
  if (command.startsWith('key.')) return 'key'
  if (command === 'consumer.forget') return 'consumer'
  return command === 'recover.accept_loss' ? 'org' : 'destination'
}
