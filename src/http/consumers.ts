import { may } from '../access/principal.ts'
import type { Consumer } from '../answers/consumers.ts'
import { type ConsumerTold, listConsumers } from '../api/consumers.ts'
import { Problem } from '../record/problem.ts'
import { printTime } from '../record/record.ts'
import type { Mount } from './mount.ts'

/** `/v1/consumers`. A position is about all repositories, so a credential that is bound to some sees none. */
export function mountConsumers(mount: Mount, list: () => Promise<ConsumerTold[]>): void {
  mount(listConsumers, async ({ who }) => {
    if (!may(who, 'operate', {}) && !may(who, 'audit', {}))
      throw new Problem('forbidden', 'this credential is bound to repositories')
    return { body: { consumers: await list() } }
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
