import { randomUUID } from 'node:crypto'
import { blockSize } from '../record/record.ts'
import type { StoredRecord } from '../ledger/read.ts'
import type { Attempt, Finding } from './destination.ts'
import { quoteSpl, type Row, type SplunkSearch } from './splunk-search.ts'

/**
 * Looks for records in Splunk by their indexed ids. Presence is always conclusive. Absence is, when all of this holds: no byte can have
 * been on its way for the lag window; a canary sent after that through the same endpoint to the same index is visible; it was visible
 * before the ids were searched; and no search peer was missing.
 */

export interface SplunkLook {
  search: SplunkSearch
  lagMs: number
  now: () => Date
  indexOf(target: string): string
  /** Sends one canary event through the event endpoint; true when it was accepted. */
  sendCanary(index: string, canary: string, signal: AbortSignal): Promise<boolean>
}

interface Canary {
  id: string
  sentAt: Date
  seen: boolean
}

/** Ids in one search up to here; more are asked for by range, which keeps the search short. */
const maxIds = 100
const hourSeconds = 3_600
/** A canary that is not visible this long after the lag window was lost, as events can be: the next look sends another. */
const lostCanaryMs = 60_000
const maxCanaries = 64

export function createSplunkLook(deps: SplunkLook): (attempt: Attempt, signal: AbortSignal) => Promise<Finding[]> {
  /** By index, oldest first. Several, since a newer one must not make an older attempt wait again. */
  const canaries = new Map<string, Canary[]>()

  /** Undefined when a canary sent after `after` is visible in the index; else what is still missing. */
  async function barrier(index: string, after: Date, signal: AbortSignal): Promise<string | undefined> {
    const now = deps.now()
    const oldest = now.getTime() - deps.lagMs - lostCanaryMs
    // One from the future was sent before the clock was set back: nobody knows what it came after.
    const known = (canaries.get(index) ?? [])
      .filter(({ seen, sentAt }) => sentAt <= now && (seen || sentAt.getTime() > oldest))
      .slice(-maxCanaries)
    canaries.set(index, known)
    if (known.some((canary) => canary.seen && canary.sentAt >= after)) return undefined
    const canary = known.find(({ sentAt }) => sentAt >= after)
    if (canary === undefined) {
      const next = { id: randomUUID(), sentAt: deps.now(), seen: false }
      if (next.sentAt < after) return 'a canary cannot be sent before the deadline has passed'
      if (!(await deps.sendCanary(index, next.id, signal))) return 'no canary was accepted'
      // Another look may have tidied the list up meanwhile.
      canaries.get(index)?.push(next)
      return 'a canary was sent'
    }
    const seconds = canary.sentAt.getTime() / 1000
    const text = `| tstats count where index=${quoteSpl(index)} sourcetype="proofline:canary" proofline_canary=${quoteSpl(canary.id)}`
    const found = await deps.search.run(
      text,
      Math.floor(seconds) - hourSeconds,
      Math.ceil(seconds) + hourSeconds,
      signal,
    )
    canary.seen = found.rows.some((row) => Number(row['count']) > 0)
    return canary.seen ? undefined : (found.reason ?? 'the canary is not visible yet')
  }

  return async function look(attempt, signal) {
    const index = deps.indexOf(attempt.target)
    const settled = deps.now().getTime() >= attempt.deadline.getTime() + deps.lagMs
    const records = await attempt.records()
    let rows = await searchIds(deps.search, index, records, signal)
    let findings = toFindings(records, rows.rows)
    if (findings.every((finding) => finding.kind === 'present')) return findings
    const why = settled ? await barrier(index, attempt.deadline, signal) : 'within the lag window'
    if (why !== undefined) return orUnknown(findings, rows.reason ?? why)
    // Once more, now that the canary is known to be visible: only an answer younger than that counts.
    rows = await searchIds(deps.search, index, records, signal)
    findings = toFindings(records, rows.rows)
    return rows.complete ? findings : orUnknown(findings, rows.reason ?? 'the search is incomplete')
  }
}

function orUnknown(findings: Finding[], reason: string): Finding[] {
  return findings.map((finding) => (finding.kind === 'absent' ? { kind: 'unknown', reason } : finding))
}

async function searchIds(search: SplunkSearch, index: string, records: readonly StoredRecord[], signal: AbortSignal) {
  const first = records[0]
  const last = records.at(-1)
  if (first === undefined || last === undefined) throw new Error('an attempt has members')
  const blocks: string[] = []
  for (let n = Math.floor(first.seq / blockSize); n <= Math.floor(last.seq / blockSize); n++) blocks.push(`"${n}"`)
  const which =
    records.length <= maxIds
      ? `proofline_id IN (${records.map(({ id }) => quoteSpl(id)).join(',')})`
      : `proofline_seq>=${first.seq} proofline_seq<=${last.seq}`
  const text =
    `| tstats count values(proofline_check) as checks where index=${quoteSpl(index)} proofline_ledger=${quoteSpl(first.ledger)} ` +
    `proofline_block IN (${blocks.join(',')}) ${which} by proofline_id`
  return search.run(
    text,
    Math.floor(first.recordedAt / 1e6) - hourSeconds,
    Math.ceil(last.recordedAt / 1e6) + hourSeconds,
    signal,
  )
}

function toFindings(records: readonly StoredRecord[], rows: readonly Row[]): Finding[] {
  const byId = new Map(rows.map((row) => [String(row['proofline_id']), row]))
  return records.map(({ id }): Finding => {
    const row = byId.get(id)
    const copies = Number(row?.['count'] ?? 0)
    if (row === undefined || !(copies > 0)) return { kind: 'absent' }
    const checks = [row['checks'] ?? []].flat()
    const [check] = checks
    const digest = checks.length === 1 && check !== undefined ? Number(check).toString(16).padStart(8, '0') : 'several'
    return { kind: 'present', copies, digest, receipt: { by: 'search', copies } }
  })
}
