import { type Principal, may } from '../access/principal.ts'
import { type DrillTold, drillDestination, listDrills } from '../api/drills.ts'
import { type AlertTold, type ReconciledTold, acknowledgeAlert, listAlerts, listReconciliations, reconcileDestination } from '../api/watch.ts' // oxfmt-ignore
import type { RecordCommand } from '../watch/commands.ts'
import { Problem } from '../record/problem.ts'
import type { Mount } from './mount.ts'

export interface WatchDeps {
  recordCommand: RecordCommand
  /** `record` puts the command on record, once it is known that there is something to do it to. */
  reconcile: (destination: string, record: () => Promise<void>, signal: AbortSignal) => Promise<ReconciledTold[]>
  comparisons: () => Promise<ReconciledTold[]>
  alerts: (query: { all: boolean; limit: number }) => Promise<AlertTold[]>
  acknowledge: (alert: string, reason: string, by: string) => Promise<AlertTold>
  drills: {
    begin: (destination: string, wanted: { ledger?: string | undefined; forS?: number | undefined; reason: string }, by: string, record: () => Promise<void>) => Promise<DrillTold>
    list: (destination: string | undefined, limit: number) => Promise<DrillTold[]>
  } // oxfmt-ignore
}

/** Watching is about all repositories, so a credential that is bound to some sees none of it. */
export function mountWatch(mount: Mount, deps: WatchDeps): void {
  const demandWhole = (who: Principal, scope: 'operate' | 'audit'): void => {
    if (may(who, 'operate', {}) || may(who, scope, {})) return
    throw new Problem('forbidden', 'this credential is bound to repositories')
  }

  mount(reconcileDestination, async ({ who, params, signal }) => {
    demandWhole(who, 'operate')
    const record = () => deps.recordCommand({ who, command: 'destination.reconcile', target: params.name })
    return { body: { reconciliations: await deps.reconcile(params.name, record, signal) } }
  })

  mount(listReconciliations, async ({ who }) => {
    demandWhole(who, 'audit')
    return { body: { reconciliations: await deps.comparisons() } }
  })

  mount(listAlerts, async ({ who, query }) => {
    demandWhole(who, 'audit')
    return { body: { alerts: await deps.alerts({ all: query.all === 'true', limit: query.limit }) } }
  })

  mount(acknowledgeAlert, async ({ who, params, body }) => {
    demandWhole(who, 'operate')
    return { body: await deps.acknowledge(params.alert, body.reason, who.id) }
  })

  mount(drillDestination, async ({ who, params, body }) => {
    demandWhole(who, 'operate')
    const { reason, ledger, for_s: forS } = body
    const record = () => deps.recordCommand({ who, command: 'destination.drill', target: params.name, reason })
    return { body: await deps.drills.begin(params.name, { ledger, forS, reason }, who.id, record) }
  })

  mount(listDrills, async ({ who, query }) => {
    demandWhole(who, 'audit')
    return { body: { drills: await deps.drills.list(query.destination, query.limit) } }
  })
}
