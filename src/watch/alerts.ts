import { type AlertCode, alertCodes, isEvent } from './alert-codes.ts'

/** Which alerts open and close. Pure: the state of before, what is found now, and the state of after. */

/** Something that is wrong now. `subject` says of what, and with the code it is the alert: `splunk main/unit`. */
export interface Finding {
  code: AlertCode
  subject: string
  detail: string
  /** When it was looked at last, where that is not now: the same look found again says nothing new. */
  lookedAt?: string
  /** When it happened, where it is an event; microseconds. */
  happenedAt?: number
}

/** An alert as it stands. */
export interface Alert extends Finding {
  state: 'opened' | 'acknowledged' | 'closed'
  at: number
}

export interface AlertState {
  /** Alerts that are opened or acknowledged, by their name. */
  open: ReadonlyMap<string, Alert>
  /** Transient findings, in how many windows in a row each was seen, and by which look last. */
  seen: ReadonlyMap<string, Seen>
  /** When each alert about an event was opened last. What happened before was told by then. */
  toldTo: ReadonlyMap<string, number>
}

export interface Seen {
  windows: number
  lookedAt: string | undefined
}

export interface AlertStep {
  alert: string
  to: 'opened' | 'closed'
  finding: Finding
}

/** What can be transient opens when it was found so many windows in a row. */
const windowsToOpen = 2

export const alertName = ({ code, subject }: Pick<Finding, 'code' | 'subject'>): string => `${code}:${subject}`

/** One window. The detail of an alert is that of its opening; it is not told again when only the detail changes. */
export function stepAlerts(
  before: AlertState,
  findings: readonly Finding[],
): { state: { seen: Map<string, Seen> }; steps: AlertStep[] } {
  const steps: AlertStep[] = []
  const seen = new Map<string, Seen>()
  const found = new Map(findings.map((finding) => [alertName(finding), finding]))
  for (const [alert, finding] of found) {
    if (before.open.has(alert)) continue
    if (isEvent(finding.code) && (finding.happenedAt ?? 0) <= (before.toldTo.get(alert) ?? -1)) continue
    const { windows: earlier, lookedAt } = before.seen.get(alert) ?? { windows: 0, lookedAt: undefined }
    const isNew = finding.lookedAt === undefined || finding.lookedAt !== lookedAt
    const windows = earlier + (isNew ? 1 : 0)
    if (!alertCodes[finding.code].transient || windows >= windowsToOpen) steps.push({ alert, to: 'opened', finding })
    else seen.set(alert, { windows, lookedAt: finding.lookedAt })
  }
  for (const [alert, { code, subject, detail, state }] of before.open) {
    // What happened stays open until somebody gave the reason; what happened since then opens it again.
    const isOver = isEvent(code) ? state === 'acknowledged' : !found.has(alert)
    if (isOver) steps.push({ alert, to: 'closed', finding: { code, subject, detail } })
  }
  return { state: { seen }, steps }
}
