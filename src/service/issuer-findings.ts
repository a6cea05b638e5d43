import { printTime } from '../record/record.ts'
import type { Finding } from '../watch/alerts.ts'

/** What an issuer does not do, and since when on the clock of `performance.now`. */
export interface IssuerTrouble {
  sinceMs: number
  detail: string
}

export function issuerUnreachable(subject: string, what: string, { sinceMs, detail }: IssuerTrouble): Finding {
  const since = printTime(Math.round((Date.now() - (performance.now() - sinceMs)) * 1000))
  return { code: 'issuer_unreachable', subject, detail: `${what} since ${since}: ${detail}` }
}
