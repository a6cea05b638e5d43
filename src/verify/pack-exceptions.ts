import { parseTime, printTime } from '../record/record.ts'
import type { PackRecord } from './pack-account.ts'
import type { PackRules } from './pack-format.ts'

/** What of a pack's records asks for an explanation, and which explanations people gave. Pure. */

export interface Exceptional {
  what: string
  subject: unknown
  why: unknown
  /** How a disposition names it. */
  noted: string
}

/** Undefined for a record that is none by itself. Alerts and runs that nothing ended are: whether they stay open shows later. */
export function exceptionOf(rules: PackRules, { kind, id, fields }: PackRecord): Exceptional | undefined {
  const of = (what: string, subject: unknown, why: unknown, prefix: string): Exceptional => ({
    what, subject, why, noted: rules === 'evidence@1' ? String(subject) : `${prefix}:${String(subject)}`,
  }) // oxfmt-ignore
  switch (kind) {
    case 'rejection':
      return of('refused', fields['run'] ?? fields['repository'], fields['reason'], 'run')
    case 'abandonment':
      return of('abandoned', fields['run'], fields['open_parts'], 'run')
    case 'seal':
      return fields['admitted'] === false ? of('not counted', fields['run'], fields['reasons'], 'run') : undefined
    case 'loss':
      return of('lost', fields['of'], fields['reason'], 'ledger')
    case 'gate':
      return rules === 'evidence@1' ? undefined : exceptionOfGate(id, fields)
    case 'deployment':
      return rules === 'evidence@1' || ['pass', 'overridden'].includes(String(fields['decision']))
        ? undefined
        : { what: 'deployed without pass', subject: fields['deployment'], why: fields['decision'], noted: deploymentKey(fields, `deployment:${String(fields['deployment'])}`) } // oxfmt-ignore
    default:
      return undefined
  }
}

/** An override does not undo the decision: both are there, and each names the other. */
function exceptionOfGate(id: string, fields: PackRecord['fields']): Exceptional | undefined {
  const subject = fields['build'] ?? fields['commit']
  switch (fields['verdict']) {
    case 'fail':
      return { what: 'gate failed', subject, why: fields['reasons'], noted: `gate:${id}` }
    case 'incomplete':
      return { what: 'gate incomplete', subject, why: fields['reasons'], noted: `gate:${id}` }
    case 'overridden':
      return { what: 'gate overridden', subject, why: [fields['reason'], fields['ticket']], noted: `gate:${String(fields['overrides'])}` } // oxfmt-ignore
    default:
      return undefined
  }
}

export interface Explanation {
  noted: string
  text: string
}

/** `to`: the end of the period. A note that holds only until a day before its last one is shown as lapsed. */
export function explanationOf(rules: PackRules, { id, fields }: PackRecord, to: string): Explanation {
  if (rules === 'evidence@1') return { noted: String(fields['subject']), text: `${id} ${String(fields['reason'])}` }
  const { until, verdict } = fields
  const end = parseTime(to)
  const lapsed = typeof until === 'string' && end !== undefined && until < printTime(end - 1).slice(0, 10)
  const said = [id, ...(lapsed ? [`(lapsed ${until})`] : []), ...(typeof verdict === 'string' ? [`${verdict}:`] : [])]
  return { noted: deploymentKey(fields, String(fields['subject'])), text: [...said, String(fields['note'])].join(' ') }
}

/** Deployments have their names within a repository; everything else that a note can be about is named for the whole org. */
function deploymentKey(fields: PackRecord['fields'], subject: string): string {
  return subject.startsWith('deployment:') ? `${String(fields['repository'])} ${subject}` : subject
}

/** Of a run that nothing ended, and of an alert. */
export const notedAs = (rules: PackRules, kind: 'run' | 'alert', subject: string): string =>
  rules === 'evidence@1' ? subject : `${kind}:${subject}`
