import { type Principal, may } from '../access/principal.ts'
import { type ListDeps, type ListQuestion, listDecisions } from '../answers/decision-lists.ts'
import type { AskedLedgers } from '../answers/gaps.ts'
import { listDeployments, putDeployment } from '../api/deployments.ts'
import { dispose, listDispositions } from '../api/dispositions.ts'
import { decideGate, listGates, overrideGate } from '../api/gates.ts'
import type { RecordDeployment } from '../decisions/deployments.ts'
import type { Dispose } from '../decisions/dispositions.ts'
import type { DecideGate } from '../decisions/gates.ts'
import type { OverrideGate } from '../decisions/overrides.ts'
import type { Standing } from '../decisions/standing.ts'
import { Problem } from '../record/problem.ts'
import { printTime } from '../record/record.ts'
import type { Mount } from './mount.ts'

/** Gates, deployments, dispositions: decided, recorded and listed. */

export interface DecisionDeps {
  decide: DecideGate
  override: OverrideGate
  deploy: RecordDeployment
  dispose: Dispose
  list: (kind: Parameters<typeof listDecisions>[2], question: ListQuestion) => ReturnType<typeof listDecisions>
}

export const listingOf = (deps: ListDeps, ledgers: AskedLedgers): DecisionDeps['list'] =>
  (kind, question) => listDecisions(deps, ledgers, kind, question) // oxfmt-ignore

export function mountDecisions(mount: Mount, deps: DecisionDeps): void {
  mount(decideGate, async ({ who, body: { wait_s: waitS, ...offer }, signal }) => {
    const decided = await deps.decide(who, { ...offer, waitMs: waitS * 1000 }, signal)
    if ('waitingFor' in decided) return { status: 202, body: { verdict: null, waiting_for: decided.waitingFor } }
    const { created, gate, override } = decided
    const beside = override === undefined ? null : toAnswer(override)
    return { status: created ? 201 : 200, body: { ...toAnswer(gate), override: beside } }
  })

  mount(overrideGate, async ({ who, params: { id }, body }) => {
    const { created, override } = await deps.override(who, { gate: id, ...body })
    return { status: created ? 201 : 200, body: toAnswer(override) }
  })

  mount(putDeployment, async ({ who, params: { id }, body }) => {
    const { created, recorded } = await deps.deploy(who, { deployment: id, ...body })
    return { status: created ? 201 : 200, body: toAnswer(recorded) }
  })

  mount(dispose, async ({ who, body }) => {
    const { created, recorded } = await deps.dispose(who, body)
    return { status: created ? 201 : 200, body: toAnswer(recorded) }
  })

  const ask = async (who: Principal, kind: Parameters<DecisionDeps['list']>[0], question: Omit<ListQuestion, 'isVisible'>) => {
    const { repository } = question
    if (repository !== undefined && !may(who, 'audit', { repository }))
      throw new Problem('forbidden', `this credential may not see what is decided about ${repository}`)
    const isVisible = (name: string): boolean => may(who, 'audit', { repository: name })
    return deps.list(kind, { ...question, isVisible: who.repositories === undefined ? undefined : isVisible })
  } // oxfmt-ignore

  mount(listGates, async ({ who, query: { as_of: asOf, ...query } }) => {
    const { rows, ...answer } = await ask(who, 'gate', { ...query, asOf })
    return { body: { ...answer, gates: rows } }
  })

  mount(listDeployments, async ({ who, query: { as_of: asOf, decision, ...query } }) => {
    const { rows, ...answer } = await ask(who, 'deployment', { ...query, asOf, verdict: decision })
    return { body: { ...answer, deployments: rows } }
  })

  mount(listDispositions, async ({ who, query: { as_of: asOf, ...query } }) => {
    const { rows, ...answer } = await ask(who, 'disposition', { ...query, asOf })
    return { body: { ...answer, dispositions: rows } }
  })
}

/** The record, without what every one of its kind has alike. */
export function toAnswer<T extends object>({ seq, recordedAt, id, fields }: Standing<T>): Record<string, unknown> {
  const { schema: _schema, kind: _kind, ledger: _ledger, ...members } = fields as Record<string, unknown>
  return { id, seq, recorded_at: printTime(recordedAt), ...members }
}
