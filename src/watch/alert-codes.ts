/**
 * Everything that is ever told as an alert: a closed table. `transient`: opens only when it persists over two windows in a row. `event`: it
 * happened and is over, so it closes when somebody acknowledges it with the reason; all others close when they are found no more. Each has a
 * playbook, docs/playbooks/<code>.md, which says what it means, what to look at and what to do.
 */
export const alertCodes = {
  destination_blocked: { severity: 'high', owner: 'siem', transient: true },
  destination_late: { severity: 'high', owner: 'siem', transient: true },
  proof_weakened: { severity: 'medium', owner: 'siem', transient: true },
  in_doubt_old: { severity: 'medium', owner: 'siem', transient: true },
  dead_letters: { severity: 'high', owner: 'siem', transient: false },
  reconciliation_missing: { severity: 'critical', owner: 'siem', transient: true },
  reconciliation_duplicated: { severity: 'high', owner: 'siem', transient: true },
  reconciliation_altered: { severity: 'critical', owner: 'security', transient: false },
  reconciliation_foreign: { severity: 'critical', owner: 'security', transient: true },
  reconciliation_unanswered: { severity: 'medium', owner: 'siem', transient: true },
  drill_due: { severity: 'low', owner: 'siem', transient: true },
  evidence_missing: { severity: 'high', owner: 'engineering', transient: false },
  deployment_without_pass: { severity: 'high', owner: 'engineering', transient: false },
  run_unsealed: { severity: 'medium', owner: 'engineering', transient: false },
  unexplained_change: { severity: 'medium', owner: 'engineering', transient: false, event: true },
  contract_conflict: { severity: 'medium', owner: 'engineering', transient: false, event: true },
  configuration_differs: { severity: 'high', owner: 'operator', transient: true },
  issuer_unreachable: { severity: 'high', owner: 'operator', transient: true },
  recording_stopped: { severity: 'critical', owner: 'operator', transient: false },
  checkpoint_stale: { severity: 'high', owner: 'operator', transient: true },
  rollback_detected: { severity: 'critical', owner: 'security', transient: false },
  log_mismatch: { severity: 'critical', owner: 'security', transient: false },
  witness_silent: { severity: 'high', owner: 'operator', transient: true },
  publication_late: { severity: 'high', owner: 'operator', transient: true },
  clock_step: { severity: 'high', owner: 'operator', transient: true },
  certificate_expiring: { severity: 'medium', owner: 'operator', transient: false },
  key_expiring: { severity: 'medium', owner: 'operator', transient: false },
  disk_low: { severity: 'high', owner: 'operator', transient: true },
  archive_overdue: { severity: 'high', owner: 'operator', transient: true },
  partition_missing: { severity: 'high', owner: 'operator', transient: false },
} as const satisfies Record<
  string,
  { severity: 'low' | 'medium' | 'high' | 'critical'; owner: string; transient: boolean; event?: true }
>

export type AlertCode = keyof typeof alertCodes

/** Whether it is something that happened, not something that is so. */
export function isEvent(code: AlertCode): boolean {
  return 'event' in alertCodes[code]
}
