import { type Principal, may } from '../access/principal.ts'
import {
  type DeadLetterPage,
  type DeadLetterQuery,
  type DestinationStatus,
  type Status,
  getStatus,
  listDeadLetters,
  listDestinations,
} from '../api/operations.ts'
import { Problem } from '../record/problem.ts'
import type { Mount } from './mount.ts'

export interface OperationDeps {
  readStatus: () => Promise<Status>
  listDestinations: () => Promise<DestinationStatus[]>
  listDeadLetters: (query: DeadLetterQuery) => Promise<DeadLetterPage>
}

/** What an operator reads. It is about all repositories, so a credential that is bound to some sees none of it. */
export function mountOperations(mount: Mount, deps: OperationDeps): void {
  const demandWhole = (who: Principal): void => {
    if (may(who, 'operate', {}) || may(who, 'audit', {})) return
    throw new Problem('forbidden', 'this credential is bound to repositories')
  }

  mount(getStatus, async ({ who }) => {
    demandWhole(who)
    return { body: await deps.readStatus() }
  })

  mount(listDestinations, async ({ who }) => {
    demandWhole(who)
    return { body: { destinations: await deps.listDestinations() } }
  })

  mount(listDeadLetters, async ({ who, query }) => {
    demandWhole(who)
    return { body: await deps.listDeadLetters(query) }
  })
}
