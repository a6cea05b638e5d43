import type { Decision } from '../history/decision-store.ts'
import type { DeploymentFields, DispositionFields, OverrideFields } from '../record/changes.ts'
import type { Finding } from './alerts.ts'

/**
 * Deployments that no gate let pass, where the contract enforces: until the gate is overridden or somebody disposes of the deployment. Fed the
 * records of `changes` in order, each once; a record says what it says for ever, so what was read need not be read again.
 */
export interface DeploymentsKnown {
  add(decision: Pick<Decision, 'kind' | 'repository' | 'fields'>): void
  /** `nowMs`: a disposition holds to the end of its last day. */
  findings(nowMs: number): Finding[]
}

const dayMs = 86_400_000

export function createDeploymentsKnown(): DeploymentsKnown {
  const open = new Map<string, DeploymentFields>()
  const overridden = new Set<string>()
  /** Until when, by repository and deployment; several notes count as long as the last of them. */
  const disposed = new Map<string, number>()
  const keyOf = (repository: string, id: string): string => JSON.stringify([repository, id])

  return {
    add({ kind, repository, fields }) {
      if (kind === 'deployment') {
        const told = JSON.parse(fields) as DeploymentFields // by deploymentPayload
        if (told.enforced && told.decision !== 'pass' && told.decision !== 'overridden')
          open.set(keyOf(repository, told.deployment), told)
      } else if (kind === 'gate') {
        const { overrides } = JSON.parse(fields) as Partial<OverrideFields> // by gatePayload, overridePayload
        if (overrides !== undefined) overridden.add(overrides)
      } else if (kind === 'disposition') {
        const { target, until } = JSON.parse(fields) as DispositionFields // by dispositionPayload
        if (target.kind !== 'deployment') return
        const key = keyOf(repository, target.id)
        const end = until === undefined ? Infinity : Date.parse(until) + dayMs
        disposed.set(key, Math.max(end, disposed.get(key) ?? 0))
      }
    },
    findings: (nowMs) =>
      [...open].flatMap(([key, { repository, deployment, environment, commit, decision, gate }]): Finding[] => {
        if ((gate !== null && overridden.has(gate)) || (disposed.get(key) ?? 0) > nowMs) return []
        const why = decision === 'none' ? 'no gate was asked' : `the gate said ${decision} (${gate ?? ''})`
        const detail = `${commit.slice(0, 12)} went to ${environment}, and ${why}`
        return [{ code: 'deployment_without_pass', subject: `${repository} ${deployment}`, detail }]
      }),
  }
}
