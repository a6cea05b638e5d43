import { type Principal, may } from '../access/principal.ts'
import {
  type DeadLetterPage,
  type DeadLetterQuery,
  type DestinationStatus,
  type Status,
  checkDestination,
  getStatus,
  listDeadLetters,
  listDestinations,
  pauseDestination,
  resumeDestination,
  setUpDestination,
} from '../api/operations.ts'
import type { Operator } from '../delivery/operate.ts'
import { Problem } from '../record/problem.ts'
import type { RecordCommand } from '../watch/commands.ts'
import type { Mount } from './mount.ts'

export interface OperationDeps {
  readStatus: () => Promise<Status>
  listDestinations: () => Promise<DestinationStatus[]>
  listDeadLetters: (query: DeadLetterQuery) => Promise<DeadLetterPage>
  operator: Operator
  /** Commands are on record before they are carried out. */
  recordCommand: RecordCommand
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

  const demandOperator = (who: Principal): void => {
    if (!may(who, 'operate', {})) throw new Problem('forbidden', 'this credential is bound to repositories')
  }
  const { operator, recordCommand } = deps

  for (const [route, command, state] of [
    [pauseDestination, 'destination.pause', 'paused'],
    [resumeDestination, 'destination.resume', 'running'],
  ] as const) {
    mount(route, async ({ who, params: { name }, body: { reason } }) => {
      demandOperator(who)
      operator.settingsOf(name)
      await recordCommand({ who, command, target: name, reason })
      const changed = await operator.hold(name, state === 'paused', reason, who.id)
      return { body: { destination: name, state, changed } }
    })
  }

  mount(setUpDestination, async ({ who, params: { name }, body, signal }) => {
    demandOperator(who)
    const record = () => recordCommand({ who, command: 'destination.setup', target: name })
    const report = await operator.setUp(name, body.dry_run ? undefined : record, signal)
    return { body: { destination: name, applied: !body.dry_run, ...report } }
  })

  mount(checkDestination, async ({ who, params: { name }, body, signal }) => {
    demandOperator(who)
    operator.settingsOf(name)
    await recordCommand({ who, command: 'destination.check', target: name }) // it leaves a canary there
    const steps = await operator.check(name, body.wait_s * 1_000, signal)
    return { body: { destination: name, ok: steps.every(({ result }) => result !== 'failed'), steps } }
  })
}
