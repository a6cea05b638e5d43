import type { Finding } from './alerts.ts'

/** What is wrong with the evidence itself: runs, suites, contracts. Pure; times in microseconds. */

export interface EvidenceKnown {
  now: number
  /** Names the look: the same result found again says nothing new. */
  lookedAt: string
  /** Runs that were declared and have no end. `limitMs`: how long their suite may take. */
  openRuns: readonly { ledger: string; repository: string; suite: string; run: string; declaredAt: number; limitMs: number }[]
  /** Suites that a contract in force wants regularly. */
  suites: readonly {
    ledger: string
    repository: string
    suite: string
    owner: string | undefined
    cadence: string
    cadenceMs: number
    /** When the last run was recorded that counts; null for none. */
    lastAt: number | null
    /** When the contract was registered that wants it. */
    wantedSince: number
  }[]
  /** The newest of each subject. */
  unexplained: readonly { subject: string; run: string; at: number; detail: string }[]
  conflicts: readonly { subject: string; at: number; detail: string }[]
} // oxfmt-ignore

export function findEvidenceProblems({ now, lookedAt, openRuns, suites, unexplained, conflicts }: EvidenceKnown): Finding[] {
  const late = openRuns.filter(({ declaredAt, limitMs }) => now - declaredAt > limitMs * 1000)
  const bySuite = Map.groupBy(late, ({ ledger, repository, suite }) => `${ledger} ${repository} ${suite}`)
  return [
    ...[...bySuite].map(([subject, runs]): Finding => {
      const oldest = runs.reduce((a, b) => (b.declaredAt < a.declaredAt ? b : a))
      const more = runs.length === 1 ? '' : `, and ${runs.length - 1} more`
      const detail = `${oldest.run} has no seal after ${printAge(now - oldest.declaredAt)}${more}`
      return { code: 'run_unsealed', subject, detail, lookedAt }
    }),
    ...suites.flatMap(({ ledger, repository, suite, owner, cadence, cadenceMs, lastAt, wantedSince }): Finding[] => {
      const since = Math.max(lastAt ?? 0, wantedSince)
      if (now - since <= cadenceMs * 1000) return []
      const last = lastAt === null ? 'no run counted ever' : `no run counted for ${printAge(now - lastAt)}`
      const detail = `${last}; the contract wants one every ${cadence}${owner === undefined ? '' : `; owner: ${owner}`}`
      return [{ code: 'evidence_missing', subject: `${ledger} ${repository} ${suite}`, detail, lookedAt }]
    }),
    ...unexplained.map(({ subject, run, at, detail }): Finding => ({ code: 'unexplained_change', subject, detail: `${run}: ${detail}`, happenedAt: at })),
    ...conflicts.map(({ subject, at, detail }): Finding => ({ code: 'contract_conflict', subject, detail, happenedAt: at })),
  ]
} // oxfmt-ignore

const hourMicros = 3_600_000_000

function printAge(micros: number): string {
  const hours = micros / hourMicros
  if (hours < 2) return `${Math.floor(micros / 60_000_000)} min`
  return hours < 48 ? `${Math.floor(hours)} h` : `${Math.floor(hours / 24)} days`
}

/** A change as a seal names it. */
export interface Change {
  what: string
  measure?: string
  from: string | null
  to: string | null
}

/** One line for people: `found (line lcov.da@1) 25 -> 21; tool nyc@17.1.0 -> nyc@18.0.0`. */
export function printSealChanges(count: number, changes: readonly Change[]): string {
  const shown = changes.map(({ what, measure, from, to }) => {
    const of = measure === undefined ? '' : ` (${measure})`
    return `${what}${of} ${from ?? 'none'} -> ${to ?? 'none'}`
  })
  return shown.join('; ') + (count > shown.length ? `; and ${count - shown.length} more` : '')
}
