import { may } from '../access/principal.ts'
import type { Consumer, Consumers } from '../answers/consumers.ts'
import { type ConsumerTold, forgetConsumer, listConsumers } from '../api/consumers.ts'
import { Problem } from '../record/problem.ts'
import { printTime } from '../record/record.ts'
import type { RecordCommand } from '../watch/commands.ts'
import type { Mount } from './mount.ts'

export interface ConsumersDeps {
  list: () => Promise<ConsumerTold[]>
  forget: Consumers['forget']
  recordCommand: RecordCommand
}

/** `/v1/consumers`. A position is about all repositories, so a credential that is bound to some sees none. */
export function mountConsumers(mount: Mount, { list, forget, recordCommand }: ConsumersDeps): void {
  mount(listConsumers, async ({ who }) => {
    if (!may(who, 'operate', {}) && !may(who, 'audit', {}))
      throw new Problem('forbidden', 'this credential is bound to repositories')
    return { body: { consumers: await list() } }
  })

  mount(forgetConsumer, async ({ who, params: { consumer }, body: { reason } }) => {
    if (!may(who, 'operate', {})) throw new Problem('forbidden', 'this credential is bound to repositories')
    const record = () => recordCommand({ who, command: 'consumer.forget', target: consumer, reason })
    if (!(await forget(consumer, record))) throw new Problem('not_found', `nobody pulls as ${consumer}`)
    return { body: { forgotten: consumer } }
  })
}

export function tellConsumer({ seenAt, movedAt, waitingSince, rewound, ...one }: Consumer, now: Date): ConsumerTold {
  return {
    consumer: one.consumer,
    ledger: one.ledger,
    next: one.next,
    lag: one.lag,
    waiting_since: waitingSince === undefined ? null : printTime(waitingSince),
    lag_s: waitingSince === undefined ? 0 : Math.max(0, Math.round(now.getTime() - waitingSince / 1_000) / 1_000),
    by: one.by,
    seen_at: printTime(seenAt),
    moved_at: printTime(movedAt),
    rewound: rewound === undefined ? null : { at: printTime(rewound.at), from: rewound.from, to: rewound.to },
  }
}
